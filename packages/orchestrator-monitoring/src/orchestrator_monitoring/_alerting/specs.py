"""Receivers as data, and made from it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.ports import Clock
from orchestrator_monitoring._alerting.groups import Notice
from orchestrator_monitoring._alerting.receiving import Receiver
from orchestrator_monitoring._alerting.routing import AlertingRefused, Escalation, Inhibition, Route, Routing
from orchestrator_monitoring._slo.selectors import Matcher

if TYPE_CHECKING:
    import httpx

    from orchestrator_monitoring._receivers.email import EmailConfig
    from orchestrator_monitoring._receivers.webhook import WebhookSigner

__all__ = [
    "AlertmanagerSpec",
    "EmailSpec",
    "LogReceiver",
    "PagerDutySpec",
    "ReceiverSpec",
    "SlackSpec",
    "WebhookSpec",
    "default_routing",
    "make_receivers",
]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackSpec:
    """An incoming webhook of Slack."""

    name: str
    url: str = field(repr=False)
    channel: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PagerDutySpec:
    """A service of PagerDuty; `url` only where events go to another region."""

    name: str
    routing_key: str = field(repr=False)
    source: str = "orchestrator"
    url: str = ""

    def __post_init__(self) -> None:
        if len(self.routing_key) != 32 or not self.routing_key.isalnum():
            raise AlertingRefused(f"receiver {self.name}: an integration key of PagerDuty has 32 letters and digits")


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailSpec:
    """A mail server and recipients."""

    name: str
    config: EmailConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSpec:
    """An endpoint of one's own; with a secret its requests are signed."""

    name: str
    url: str = field(repr=False)
    secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertmanagerSpec:
    """An Alertmanager."""

    name: str
    url: str


ReceiverSpec: TypeAlias = SlackSpec | PagerDutySpec | EmailSpec | WebhookSpec | AlertmanagerSpec


class LogReceiver:
    """Writes each notice to the log; always there, as `log`."""

    name = "log"
    kind = "log"
    heartbeats = False

    async def send(self, notice: Notice) -> None:
        from orchestrator_monitoring._receivers.texts import title  # noqa: PLC0415 - with the first notice

        extra = {"group": notice.group, "firing": len(notice.firing), "resolved": len(notice.resolved)}
        logger.warning("alert: %s", title(notice), extra=extra)

    async def check(self) -> None:
        """Nothing can be wrong with it."""


def make_receivers(
    specs: Iterable[ReceiverSpec],
    *,
    http: httpx.AsyncClient | None,
    clock: Clock,
    signer: Callable[[str, str], WebhookSigner] | None = None,
) -> list[Receiver]:
    """The receivers, and the log.

    Args:
        specs: What they are.
        http: For all but mail; the caller closes it.
        clock: Says what time it is.
        signer: Makes the signer of a webhook from the receiver's name and its secret.

    Raises:
        ConfigurationError: One needs HTTP and there is no client, or a signer and there is none; two share a name.
    """
    made: list[Receiver] = [LogReceiver()]
    for spec in specs:
        if any(each.name == spec.name for each in made):
            raise AlertingRefused(f"two receivers are called {spec.name}")
        made.append(_made(spec, http, clock, signer))
    return made


def _made(
    spec: ReceiverSpec,
    http: httpx.AsyncClient | None,
    clock: Clock,
    signer: Callable[[str, str], WebhookSigner] | None,
) -> Receiver:
    from orchestrator_monitoring._receivers import alertmanager, email, pagerduty, slack, webhook  # noqa: PLC0415

    if isinstance(spec, EmailSpec):
        return email.EmailReceiver(spec.name, spec.config)
    if http is None:
        raise ConfigurationError(f"receiver {spec.name} needs an HTTP client: install orchestrator-monitoring[http]")
    match spec:
        case SlackSpec():
            return slack.SlackReceiver(spec.name, spec.url, http, channel=spec.channel)
        case PagerDutySpec():
            url = spec.url or pagerduty.EVENTS_URL
            return pagerduty.PagerDutyReceiver(spec.name, spec.routing_key, http, source=spec.source, url=url)
        case WebhookSpec():
            if spec.secret and signer is None:
                raise ConfigurationError(f"receiver {spec.name} has a secret, and nobody to sign with it")
            own = signer(spec.name, spec.secret) if spec.secret and signer is not None else None
            return webhook.WebhookReceiver(spec.name, spec.url, http, signer=own, clock=clock)
        case AlertmanagerSpec():
            return alertmanager.AlertmanagerReceiver(spec.name, spec.url, http)


def default_routing(
    specs: Sequence[ReceiverSpec],
    *,
    inhibitions: tuple[Inhibition, ...] = (),
    heartbeats: tuple[str, ...] = (),
    heartbeat_every: float = 60.0,
) -> Routing:
    """Who is told when nobody has written routes: critical goes everywhere, high everywhere but to the pager, unless nobody answers for 15 minutes;
    medium to mail and machines, low to machines. Everything goes to the log.
    """  # noqa: D205 - one sentence
    machines = tuple(each.name for each in specs if isinstance(each, WebhookSpec | AlertmanagerSpec))
    mail = tuple(each.name for each in specs if isinstance(each, EmailSpec))
    chat = tuple(each.name for each in specs if isinstance(each, SlackSpec))
    pager = tuple(each.name for each in specs if isinstance(each, PagerDutySpec))
    escalation = (Escalation(900.0, pager),) if pager else ()

    def route(name: str, *receivers: str, steps: tuple[Escalation, ...] = (), rest: bool = False) -> Route:
        matchers = () if rest else (Matcher("severity", "=", name),)
        everybody = ("log", *receivers)
        return Route(name=name, receivers=everybody, matchers=matchers, group_by=("alertname", "slo"), escalation=steps)

    routes = (
        route("critical", *pager, *chat, *mail, *machines),
        route("high", *chat, *mail, *machines, steps=escalation),
        route("medium", *mail, *machines),
        route("low", *machines, rest=True),
    )
    return Routing(routes, inhibitions, heartbeats, heartbeat_every)
