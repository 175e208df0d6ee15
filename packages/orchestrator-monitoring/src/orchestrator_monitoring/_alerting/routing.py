"""Who is told of what, and how often. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_monitoring._slo.selectors import Matcher

__all__ = ["AlertingRefused", "Escalation", "Inhibition", "Route", "Routing", "Silence", "Target"]


class AlertingRefused(ConfigurationError):
    """A rule, a route or a receiver cannot be used; says where and why."""

    default_code = "alerting_refused"


@dataclass(frozen=True, slots=True)
class Escalation:
    """Who is told when nobody has acknowledged an alert.

    Attributes:
        after: Seconds after it began to fire.
        receivers: Names.
    """

    after: float
    receivers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """How a kind of alert reaches people.

    Attributes:
        name: Tells it from other routes.
        receivers: Told at once.
        matchers: All must fit; none fits everything. They see the alert's labels, `alertname` and `severity`.
        group_by: Alerts with the same values of these labels come in one notice.
        group_wait: Seconds that the first notice waits for further alerts.
        group_interval: Seconds between notices of a group in which something changed.
        repeat_interval: Seconds until a group in which nothing changed is told again; never for what is acknowledged.
        escalation: Later steps.
        goes_on: Whether further routes are looked at.

    Raises:
        AlertingRefused: A time or a step is out of order.
    """

    name: str
    receivers: tuple[str, ...]
    matchers: tuple[Matcher, ...] = ()
    group_by: tuple[str, ...] = ("alertname",)
    group_wait: float = 30.0
    group_interval: float = 300.0
    repeat_interval: float = 4 * 3600.0
    escalation: tuple[Escalation, ...] = ()
    goes_on: bool = False

    def __post_init__(self) -> None:
        if not self.receivers:
            raise AlertingRefused(f"route {self.name}: nobody would be told; name a receiver")
        if not 0 <= self.group_wait <= self.group_interval <= self.repeat_interval or self.group_interval <= 0:
            raise AlertingRefused(
                f"route {self.name}: group_wait must not be longer than group_interval, nor that than repeat_interval"
            )
        steps = [each.after for each in self.escalation]
        if sorted(set(steps)) != steps or any(each <= 0 for each in steps):
            raise AlertingRefused(
                f"route {self.name}: escalation steps must be in order, each later than the one before"
            )
        if not all(each.receivers for each in self.escalation):
            raise AlertingRefused(f"route {self.name}: an escalation step names no receiver")

    def fits(self, labels: Mapping[str, str]) -> bool:
        """Whether an alert with these labels takes this route."""
        return all(each.accepts(labels.get(each.label, "")) for each in self.matchers)


@dataclass(frozen=True, slots=True)
class Inhibition:
    """While an alert that fits `source` fires, those that fit `target` and have the same values of `equal` are not told.

    A label of `equal` that is absent on either side is not the same, and an alert never inhibits itself.
    """

    source: tuple[Matcher, ...]
    target: tuple[Matcher, ...]
    equal: tuple[str, ...] = ()

    def inhibits(self, labels: Mapping[str, str]) -> bool:
        """Whether an alert with these labels keeps others quiet."""
        return self._same(labels) and all(each.accepts(labels.get(each.label, "")) for each in self.source)

    def concerns(self, labels: Mapping[str, str]) -> bool:
        """Whether an alert with these labels can be kept quiet."""
        return self._same(labels) and all(each.accepts(labels.get(each.label, "")) for each in self.target)

    def values(self, labels: Mapping[str, str]) -> tuple[str, ...]:
        """What must be the same on both sides."""
        return tuple(labels.get(name, "") for name in self.equal)

    def _same(self, labels: Mapping[str, str]) -> bool:
        return all(name in labels for name in self.equal)


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Nobody is told of alerts that fit, for a time.

    Attributes:
        id: Tells it from other silences.
        matchers: All must fit; at least one.
        starts: Unix seconds.
        ends: Unix seconds.
        by: Who asked for it.
        reason: Why.
    """

    id: str
    matchers: tuple[Matcher, ...]
    starts: float
    ends: float
    by: str
    reason: str = ""

    def mutes(self, labels: Mapping[str, str], now: float) -> bool:
        """Whether it holds for an alert with these labels now."""
        return self.starts <= now < self.ends and all(
            each.accepts(labels.get(each.label, "")) for each in self.matchers
        )


@dataclass(frozen=True, slots=True)
class Target:
    """One receiver of one route.

    Attributes:
        route: The route.
        receiver: Its name.
        after: Seconds after an alert began to fire; 0 is at once.
    """

    route: Route
    receiver: str
    after: float

    def key(self, group: Mapping[str, str]) -> str:
        """Names the group in the store: 64 hexadecimal digits, the same in every process."""
        digest = hashlib.sha256()
        for text in (self.route.name, self.receiver, *(each for pair in sorted(group.items()) for each in pair)):
            encoded = text.encode(errors="surrogatepass")
            digest.update(len(encoded).to_bytes(4, "big") + encoded)
        return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Routing:
    """All routes and inhibitions.

    Attributes:
        routes: Looked at in their order; the first that fits is taken.
        inhibitions: What keeps what quiet.
        heartbeats: Receivers of the dead-man's switch.
        heartbeat_every: Seconds between its beats.

    Raises:
        AlertingRefused: Two routes share a name, or an alert could fit no route.
    """

    routes: tuple[Route, ...]
    inhibitions: tuple[Inhibition, ...] = ()
    heartbeats: tuple[str, ...] = ()
    heartbeat_every: float = 60.0

    def __post_init__(self) -> None:
        names = [each.name for each in self.routes]
        for name in names:
            if names.count(name) > 1:
                raise AlertingRefused(f"two routes are called {name}")
        if not self.routes or self.routes[-1].matchers:
            raise AlertingRefused(
                "the last route must have no matchers: an alert that fits nowhere would be told to nobody"
            )
        if self.heartbeat_every < 10:
            raise AlertingRefused("a heartbeat every 10 seconds or slower is enough")

    def targets(self, labels: Mapping[str, str]) -> Iterator[Target]:
        """Who is to be told of an alert with these labels."""
        for route in self.routes:
            if route.fits(labels):
                told = dict.fromkeys(route.receivers, 0.0)
                for step in route.escalation:
                    for receiver in step.receivers:
                        told.setdefault(receiver, step.after)
                for receiver, after in told.items():
                    yield Target(route, receiver, after)
                if not route.goes_on:
                    return

    @property
    def receivers(self) -> frozenset[str]:
        """All names that are told anything."""
        named = {name for route in self.routes for name in route.receivers}
        named |= {name for route in self.routes for step in route.escalation for name in step.receivers}
        return frozenset(named | set(self.heartbeats))
