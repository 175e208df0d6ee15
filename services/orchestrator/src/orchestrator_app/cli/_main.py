"""The commands and their options; what a command needs is imported when it runs, so that help comes at once."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from orchestrator_app.cli._auth_commands import auth

__all__ = ["app", "main"]

app = typer.Typer(
    name="orchestrator",
    help="The voice-call orchestrator.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
calls = typer.Typer(help="List calls and show their transcripts.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(calls, name="calls")
tenants = typer.Typer(
    help="Add, list, show and remove tenants; a running service sees it within seconds.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(tenants, name="tenants")
audit = typer.Typer(help="Verify, show and export the audit log.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(audit, name="audit")
app.add_typer(auth, name="auth")
resilience = typer.Typer(
    help="Show and reset the policies of a running service.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(resilience, name="resilience")
slo = typer.Typer(
    help="Show the objectives and how they stand; write them as rules for Prometheus.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(slo, name="slo")
alerts = typer.Typer(
    help="List, acknowledge and silence the alerts of a running service; try its receivers.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(alerts, name="alerts")

dashboards = typer.Typer(help="Write dashboards for Grafana.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(dashboards, name="dashboards")


Config = Annotated[
    Path | None, typer.Option(help="The settings file; orchestrator.toml here when absent.", show_default=False)
]
Data = Annotated[
    Path | None, typer.Option(help="The data folder; the setting data_dir when absent.", show_default=False)
]
Url = Annotated[
    str | None, typer.Option(help="The running service; server.host and port when absent.", show_default=False)
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead.")]


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,  # noqa: FBT002
) -> None:
    """The voice-call orchestrator."""
    if version:
        from importlib.metadata import version as installed  # noqa: PLC0415

        typer.echo(installed("orchestrator-app"))
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Where to listen.", show_default=False)] = None,
    port: Annotated[int | None, typer.Option(help="0 takes a free one.", show_default=False)] = None,
    config: Config = None,
    data: Data = None,
    as_json: Annotated[bool, typer.Option("--json", help="Tell URL and data folder as one line of JSON.")] = False,  # noqa: FBT002
) -> None:
    """Take calls until it is told to stop."""
    from orchestrator_app.cli._serve import run_serve  # noqa: PLC0415

    run_serve(host=host, port=port, config=config, data=data, as_json=as_json)


@app.command()
def demo(
    as_json: Json = False,  # noqa: FBT002
    wav: Annotated[Path, typer.Option(help="Where to keep what the caller heard.")] = Path("demo-call.wav"),
    kill: Annotated[  # noqa: FBT002
        bool, typer.Option("--kill", help="Kill the service in the middle of a sentence; the call goes on.")
    ] = False,
    processes: Annotated[
        int, typer.Option(min=1, max=8, help="So many services on one PostgreSQL; the one that speaks is killed.")
    ] = 1,
    audio: Annotated[
        Path | None,
        typer.Option(help="A caller's recording (WAV): one call from its audio instead.", show_default=False),
    ] = None,
) -> None:
    """Take complete calls, over the network, and show them."""
    if audio is not None:
        from orchestrator_app.cli._demo_audio import run_audio_demo  # noqa: PLC0415

        run_audio_demo(audio, as_json=as_json, wav=wav)
        return
    from orchestrator_app.cli._demo import run_demo  # noqa: PLC0415

    run_demo(as_json=as_json, wav=wav, kill=kill, processes=processes)


@app.command()
def talk(
    language: Annotated[str, typer.Option(help="The caller's language, BCP 47.")] = "en-US",
    wav: Annotated[Path | None, typer.Option(help="Keep what is heard.", show_default=False)] = None,
) -> None:
    """Make a call from this terminal: type what the caller says, #1 for keys, Ctrl-C interrupts the speech."""
    from orchestrator_app.cli._talk import run_talk  # noqa: PLC0415

    run_talk(language=language, wav=wav)


@app.command()
def bench(
    calls: Annotated[int, typer.Option(min=1, help="Calls at once.")] = 500,
    every: Annotated[float, typer.Option(min=0.1, help="Seconds between two turns of a call.")] = 10.0,
    seconds: Annotated[float, typer.Option(min=1, help="Of measurement.")] = 60.0,
    target: Annotated[float, typer.Option(min=1, help="Milliseconds that 99 of 100 turns are to keep.")] = 50.0,
    most: Annotated[
        int, typer.Option(min=0, help="Look for the largest number of calls that keeps the target, up to this one.")
    ] = 0,
    url: Annotated[
        str | None, typer.Option(help="A running service; one of its own when absent.", show_default=False)
    ] = None,
    config: Config = None,
    data: Data = None,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Load a service with calls and show how long callers wait for their answers."""
    from orchestrator_app.cli._bench import Plan, run_bench  # noqa: PLC0415

    run_bench(Plan(calls, every, seconds, target, most), url=url, config=config, data=data, as_json=as_json)


@app.command()
def migrate(config: Config = None, data: Data = None, as_json: Json = False) -> None:  # noqa: FBT002
    """Bring the tables of all packages up to date."""
    from orchestrator_app.cli._data import run_migrate  # noqa: PLC0415

    run_migrate(config=config, data=data, as_json=as_json)


@app.command()
def check(
    config: Config = None,
    data: Data = None,
    security: Annotated[bool, typer.Option("--security", help="The state of each door instead.")] = False,  # noqa: FBT002
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Check the settings, and that what they name can be reached."""
    from orchestrator_app.cli._check import run_check  # noqa: PLC0415

    run_check(config=config, data=data, as_json=as_json, security=security)


@app.command("config")
def show_config(config: Config = None, data: Data = None, as_json: Json = False) -> None:  # noqa: FBT002
    """Show the settings in force, secrets hidden, and where each comes from."""
    from orchestrator_app.cli._config import run_config  # noqa: PLC0415

    run_config(config=config, data=data, as_json=as_json)


@calls.command("list")
def list_calls(
    config: Config = None,
    data: Data = None,
    open_only: Annotated[bool, typer.Option("--open", help="Only calls that are not over.")] = False,  # noqa: FBT002
    limit: Annotated[int, typer.Option(min=1, max=500)] = 20,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """List calls, newest first."""
    from orchestrator_app.cli._data import run_list  # noqa: PLC0415

    run_list(config=config, data=data, open_only=open_only, limit=limit, as_json=as_json)


@calls.command("show")
def show_call(
    call_id: Annotated[str, typer.Argument(help="As `calls list` shows it.")],
    config: Config = None,
    data: Data = None,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Show the transcript of a call."""
    from orchestrator_app.cli._data import run_show  # noqa: PLC0415

    run_show(call_id, config=config, data=data, as_json=as_json)


@calls.command("export")
def export_call(
    call_id: Annotated[str, typer.Argument(help="As `calls list` shows it.")],
    config: Config = None,
    data: Data = None,
    out: Annotated[Path | None, typer.Option(help="A file; standard output when absent.", show_default=False)] = None,
    transcript: Annotated[bool, typer.Option("--transcript", help="The transcript in place of the events.")] = False,  # noqa: FBT002
) -> None:
    """Write all that is kept of a call as JSON lines: the call, then its events."""
    from orchestrator_app.cli._data import run_export  # noqa: PLC0415

    run_export(call_id, config=config, data=data, out=out, transcript=transcript)


@calls.command("trace")
def trace_call(
    call_id: Annotated[str, typer.Argument(help="As `calls list` shows it.")],
    config: Config = None,
    data: Data = None,
) -> None:
    """Print the id of a call's trace, to look for it in Jaeger, Tempo or Grafana."""
    from orchestrator_app.cli._traces import run_trace  # noqa: PLC0415

    run_trace(call_id, config=config, data=data)


@audit.command("verify")
def verify_audit(
    file: Annotated[
        Path | None, typer.Argument(help="An exported log; the database when absent.", show_default=False)
    ] = None,
    witness: Annotated[
        list[str] | None,
        typer.Option(help="A signed end of the log that was kept elsewhere; may be repeated.", show_default=False),
    ] = None,
    config: Config = None,
    data: Data = None,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Find every edit, removal, insertion and truncation; leaves with 1 if there is one."""
    from orchestrator_app.cli._audit import run_verify  # noqa: PLC0415

    run_verify(file, witness=witness or [], config=config, data=data, as_json=as_json)


@audit.command("show")
def show_audit(
    event_type: Annotated[
        str, typer.Option("--type", help="One type, or with a dot at its end all below: `auth.`.")
    ] = "",
    tenant: Annotated[str, typer.Option(help="Only this tenant's.")] = "",
    since: Annotated[datetime | None, typer.Option(help="UTC.", show_default=False)] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
    config: Config = None,
    data: Data = None,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Show audit events, newest first."""
    from orchestrator_app.cli._audit import run_show  # noqa: PLC0415

    after = None if since is None else since.replace(tzinfo=since.tzinfo or UTC)
    run_show(event_type=event_type, tenant=tenant, since=after, limit=limit, config=config, data=data, as_json=as_json)


@audit.command("export")
def export_audit(
    file: Annotated[Path, typer.Argument(help="A file that is not there yet.")],
    config: Config = None,
    data: Data = None,
) -> None:
    """Write the log to a file that can be verified without the database; prints its signed end."""
    from orchestrator_app.cli._audit import run_export  # noqa: PLC0415

    run_export(file, config=config, data=data)


@audit.command("key")
def audit_key(config: Config = None, data: Data = None) -> None:
    """Print the public key that signs the log now; keep it before you change the root key."""
    from orchestrator_app.cli._audit import run_key  # noqa: PLC0415

    run_key(config=config, data=data)


@app.command("metrics")
def list_metrics(as_json: Json = False) -> None:  # noqa: FBT002
    """List every metric that can be scraped, with its labels and what bounds them."""
    from orchestrator_app.cli._metrics import run_metrics  # noqa: PLC0415

    run_metrics(as_json=as_json)


@resilience.command("show")
def show_resilience(config: Config = None, data: Data = None, url: Url = None, as_json: Json = False) -> None:  # noqa: FBT002
    """Show which circuits are open, who runs and waits, and how calls ended."""
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
    """Show how the objectives of a running service stand: budget, burn rates, forecast."""
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
    """Write the objectives as recording and alerting rules for Prometheus."""
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
    """Check files of objectives and alert rules; a bad one is refused with file, line and reason."""
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
    """Take care of an alert: it is not repeated, and escalates no further."""
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
    """Ask receivers whether they would take a notice; tells nobody and opens no incident, unless --send is given."""
    from orchestrator_app.cli._alerts import run_test  # noqa: PLC0415

    run_test(receiver, send=send, config=config, data=data, url=url, as_json=as_json)


@tenants.command("add")
def add_tenant(
    tenant: Annotated[str, typer.Argument(help="Its id, for example harbour.")],
    file: Annotated[
        Path | None,
        typer.Option("--from", help="A TOML file with its settings, as under [tenants.NAME].", show_default=False),
    ] = None,
    name: Annotated[str | None, typer.Option(help="How the house is called.", show_default=False)] = None,
    number: Annotated[list[str] | None, typer.Option(help="A telephone number, E.164.", show_default=False)] = None,
    language: Annotated[list[str] | None, typer.Option(help="BCP 47; the first is spoken first.")] = None,
    time_zone: Annotated[str | None, typer.Option(help="For example Europe/Berlin.", show_default=False)] = None,
    script: Annotated[str | None, typer.Option(help="A dialogue script.", show_default=False)] = None,
    config: Config = None,
    data: Data = None,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Add a tenant; options go before the members of the file."""
    from orchestrator_app.cli._tenants import run_add  # noqa: PLC0415

    given: dict[str, object] = {
        "name": name,
        "numbers": number,
        "languages": language,
        "time_zone": time_zone,
        "script": script,
    }
    given = {key: value for key, value in given.items() if value}
    run_add(tenant, given=given, file=file, config=config, data=data, as_json=as_json)


@tenants.command("list")
def list_tenants(config: Config = None, data: Data = None, as_json: Json = False) -> None:  # noqa: FBT002
    """List the tenants, and whether each is from the settings or was added."""
    from orchestrator_app.cli._tenants import run_list  # noqa: PLC0415

    run_list(config=config, data=data, as_json=as_json)


@tenants.command("show")
def show_tenant(
    tenant: Annotated[str, typer.Argument(help="As `tenants list` shows it.")],
    config: Config = None,
    data: Data = None,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Show a tenant, secrets hidden."""
    from orchestrator_app.cli._tenants import run_show  # noqa: PLC0415

    run_show(tenant, config=config, data=data, as_json=as_json)


@tenants.command("remove")
def remove_tenant(
    tenant: Annotated[str, typer.Argument(help="As `tenants list` shows it.")],
    config: Config = None,
    data: Data = None,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Remove a tenant that was added; calls that it has go on."""
    from orchestrator_app.cli._tenants import run_remove  # noqa: PLC0415

    run_remove(tenant, config=config, data=data, as_json=as_json)


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
    """Write dashboards and provisioning files; every query is checked against the metrics that are exported."""
    from orchestrator_app.cli._dashboards import run_export  # noqa: PLC0415

    run_export(folder, more=more or [], prometheus_url=prometheus_url, grafana_folder=grafana_folder)


def main() -> None:
    """Run a command; what goes wrong is told in one sentence, with 2 for settings and 1 for everything else as exit code."""
    from orchestrator_kernel.exceptions import ConfigurationError, OrchestratorError  # noqa: PLC0415

    try:
        app()
    except ConfigurationError as error:
        typer.echo(f"orchestrator: {error}", err=True)
        sys.exit(2)
    except OrchestratorError as error:
        typer.echo(f"orchestrator: {error}", err=True)
        sys.exit(1)
