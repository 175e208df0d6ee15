"""The commands of those who watch: `orchestrator resilience`, `slo`, `alerts` and `dashboards`; what a command needs is imported when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator_app.cli._options import Config, Data, Json, Url, group

__all__ = ["alerts", "dashboards", "resilience", "slo"]

resilience = group("Show and reset the policies of a running service.")
slo = group("Show the objectives and how they stand. Write them as rules for Prometheus.")
alerts = group("List, acknowledge and silence alerts. Of a running service, whose receivers can be tried too.")
dashboards = group("Write dashboards for Grafana.")


@resilience.command("show")
def show_resilience(config: Config = None, data: Data = None, url: Url = None, as_json: Json = False) -> None:  # noqa: FBT002
    """Show circuits, who runs and waits, and how calls ended."""
    from orchestrator_app.cli._resilience import run_show  # noqa: PLC0415

    run_show(config=config, data=data, url=url, as_json=as_json)


@resilience.command("reset")
def reset_resilience(
    names: Annotated[
        list[str] | None, typer.Argument(help="Dependencies; all of them when absent.", show_default=False)
    ] = None,
    client: Annotated[
        str | None,
        typer.Option(
            help="Forget what this client has used: `id:operator`, or `ip:` and an address.", show_default=False
        ),
    ] = None,
    config: Config = None,
    data: Data = None,
    url: Url = None,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Close circuits, or forget what a client has used of its limits."""
    from orchestrator_app.cli._resilience import run_reset  # noqa: PLC0415

    run_reset(names or [], config=config, data=data, url=url, client=client, as_json=as_json)


@slo.command("list")
def list_objectives(config: Config = None, data: Data = None, as_json: Json = False) -> None:  # noqa: FBT002
    """List the objectives, and when somebody is told."""
    from orchestrator_app.cli._slo import run_list  # noqa: PLC0415

    run_list(config=config, data=data, as_json=as_json)


@slo.command("status")
def objectives_status(config: Config = None, data: Data = None, url: Url = None, as_json: Json = False) -> None:  # noqa: FBT002
    """Show how the objectives of a running service stand. Budget, burn rates, forecast."""
    from orchestrator_app.cli._slo import run_status  # noqa: PLC0415

    run_status(config=config, data=data, url=url, as_json=as_json)


@slo.command("rules")
def objectives_rules(
    tests: Annotated[
        Path | None,
        typer.Option(
            help="A folder for the rules and unit tests for promtool; the rules go to standard output when absent.",
            show_default=False,
        ),
    ] = None,
    config: Config = None,
    data: Data = None,
) -> None:
    """Write the objectives as rules for Prometheus. Recording and alerting rules, and tests for them."""
    from orchestrator_app.cli._slo import run_rules  # noqa: PLC0415

    run_rules(config=config, data=data, tests=tests)


@slo.command("check")
def check_objectives(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Files of objectives or alert rules; those of the settings when absent.", show_default=False
        ),
    ] = None,
    config: Config = None,
    data: Data = None,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Check files of objectives and alert rules. A bad one is refused with file, line and reason."""
    from orchestrator_app.cli._slo import run_check  # noqa: PLC0415

    run_check(files or [], config=config, data=data, as_json=as_json)


@alerts.command("list")
def list_alerts(config: Config = None, data: Data = None, url: Url = None, as_json: Json = False) -> None:  # noqa: FBT002
    """List what is pending, fires, or ended within the hour."""
    from orchestrator_app.cli._alerts import run_list  # noqa: PLC0415

    run_list(config=config, data=data, url=url, as_json=as_json)


Alert = Annotated[str, typer.Argument(help="As `alerts list` shows it.")]


@alerts.command("ack")
def acknowledge_alert(
    alert: Alert,
    config: Config = None,
    data: Data = None,
    url: Url = None,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Take care of an alert. It is not repeated, and escalates no further."""
    from orchestrator_app.cli._alerts import run_acknowledge  # noqa: PLC0415

    run_acknowledge(alert, config=config, data=data, url=url, as_json=as_json)


@alerts.command("silence")
def silence_alert(
    alert: Alert,
    minutes: Annotated[float, typer.Option(min=1, max=43_200)] = 60,
    reason: Annotated[str, typer.Option(help="Kept with the silence.")] = "silenced from the command line",
    config: Config = None,
    data: Data = None,
    url: Url = None,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Tell nobody of an alert for a time."""
    from orchestrator_app.cli._alerts import run_silence  # noqa: PLC0415

    run_silence(alert, minutes=minutes, reason=reason, config=config, data=data, url=url, as_json=as_json)


@alerts.command("test")
def try_receivers(
    receiver: Annotated[str | None, typer.Argument(help="One receiver; all when absent.", show_default=False)] = None,
    send: Annotated[bool, typer.Option("--send", help="Send a notice that says that it is a test.")] = False,  # noqa: FBT002
    config: Config = None,
    data: Data = None,
    url: Url = None,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Ask receivers whether they would take a notice. Tells nobody and opens no incident, unless --send is given."""
    from orchestrator_app.cli._alerts import run_test  # noqa: PLC0415

    run_test(receiver, send=send, config=config, data=data, url=url, as_json=as_json)


@dashboards.command("export")
def export_dashboards(
    folder: Annotated[Path, typer.Argument(help="Where to write; made if it is not there.")],
    more: Annotated[
        list[Path] | None,
        typer.Option("--with", help="A dashboard of your own, TOML; may be repeated.", show_default=False),
    ] = None,
    prometheus_url: Annotated[str, typer.Option(help="Where Grafana finds Prometheus.")] = "http://prometheus:9090",
    grafana_folder: Annotated[
        str, typer.Option(help="Where Grafana finds the dashboards.")
    ] = "/var/lib/grafana/dashboards",
) -> None:
    """Write dashboards and provisioning files. Every query is checked against the metrics that are exported."""
    from orchestrator_app.cli._dashboards import run_export  # noqa: PLC0415

    run_export(folder, more=more or [], prometheus_url=prometheus_url, grafana_folder=grafana_folder)
