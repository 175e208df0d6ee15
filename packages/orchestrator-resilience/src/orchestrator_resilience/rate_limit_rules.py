"""Which limit holds for which request: rules, the most specific one first, behind the kernel's `Admission`.

What the user types:

    admission = RateLimitAdmission([
        RateLimitRule("default", limits="100/minute; 1000/hour"),
        RateLimitRule("login", limits="5/minute", route="/auth/login", method="POST"),
        RateLimitRule("calls", limits="500/minute", route="/v1/call/*", client_class="authenticated", scope="tenant"),
    ])
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.ports import AdmissionDecision, AdmissionRequest, Clock
from orchestrator_resilience import events
from orchestrator_resilience._validation import one_of, refuse
from orchestrator_resilience.events import DecisionObserver, tell
from orchestrator_resilience.rate_limiter import (
    Decision,
    MonotonicStorage,
    RateLimiter,
    SharedStorage,
    Strategy,
    open_storage,
    tightest,
)

__all__ = ["RateLimitAdmission", "RateLimitDecision", "RateLimitRule", "RuleScope"]

RuleScope: TypeAlias = Literal["client", "tenant", "global"]


@dataclass(frozen=True, slots=True)
class RateLimitRule:
    """Limits for some requests.

    Attributes:
        name: For headers, logs and metrics.
        limits: In limits' notation.
        route: A route's template, or a prefix of routes that ends with `*`; None: any.
        method: An HTTP method; None: any.
        client_class: A class of clients as the admission's `classify` names them; None: any.
        scope: Who shares the limits: each client, each tenant (a client without one stands for itself), or everybody.
        strategy: As for `RateLimiter`.
        burst: As for `RateLimiter`.

    Raises:
        ConfigurationError: A value is none, such as a `*` in the middle of a route.
    """

    name: str
    limits: str
    route: str | None = None
    method: str | None = None
    client_class: str | None = None
    scope: RuleScope = "client"
    strategy: Strategy = "gcra"
    burst: int | None = None

    def __post_init__(self) -> None:
        one_of("scope", self.scope, ("client", "tenant", "global"))
        if not self.name or not self.name.isascii() or not self.name.replace("-", "").replace("_", "").isalnum():
            raise refuse("name", self.name, "ASCII letters, digits, - and _")
        if self.route is not None and (not self.route.startswith("/") or "*" in self.route[:-1]):
            raise refuse("route", self.route, "a template such as /v1/calls/{id}, or a prefix such as /v1/*")
        if self.method is not None and (not self.method.isalpha() or not self.method.isupper()):
            raise refuse("method", self.method, "an HTTP method in capitals")

    def applies(self, request: AdmissionRequest, client_class: str | None) -> bool:
        """Whether the rule is about this request."""
        if self.method not in {None, request.method} or self.client_class not in {None, client_class}:
            return False
        if self.route is None or self.route == request.route:
            return True
        return self.route.endswith("*") and request.route.startswith(self.route[:-1])

    @property
    def specificity(self) -> tuple[bool, bool, int, bool]:
        """Greater is more specific: a class of clients, an exact route, a longer prefix, a method."""
        route = self.route or ""
        # A class of clients comes first: anonymous callers get their own limit also where a route has one.
        return (
            self.client_class is not None,
            bool(route) and not route.endswith("*"),
            len(route),
            self.method is not None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimitDecision(AdmissionDecision):
    """An `AdmissionDecision` that says which rule made it.

    Attributes:
        policy: The rule's name.
        window: Seconds of the limit that decided.
    """

    policy: str
    window: int


class RateLimitAdmission:
    """Applies to each request the most specific rule that is about it.

    Args:
        rules: One of them has to be about every request.
        classify: Names the class of a request's client, from what the application has verified.
        storage: The URI of a storage for all rules, or one that `open_storage` has opened.
        clock: Where time comes from.
        decision_observers: Told of every refusal.

    Raises:
        ConfigurationError: No rule covers everything, two rules have the same name or the same conditions, or a limit is none.
    """

    def __init__(
        self,
        rules: Sequence[RateLimitRule],
        *,
        classify: Callable[[AdmissionRequest], str | None] | None = None,
        storage: str | MonotonicStorage | SharedStorage = "async+monotonic://",
        clock: Clock | None = None,
        decision_observers: Iterable[DecisionObserver] = (),
    ) -> None:
        conditions = [(rule.route, rule.method, rule.client_class) for rule in rules]
        if (None, None, None) not in conditions:
            raise ConfigurationError(
                "a rule without route, method and client class is needed: it holds for everything else",
                details={"setting": "rules"},
            )
        if len(set(conditions)) < len(rules) or len({rule.name for rule in rules}) < len(rules):
            raise ConfigurationError(
                "two rules have the same name or the same conditions", details={"setting": "rules"}
            )
        ordered = sorted(rules, key=lambda rule: rule.specificity, reverse=True)
        self.storage = open_storage(storage, clock=clock) if isinstance(storage, str) else storage
        self._observers = tuple(decision_observers)
        self._limiters = [
            (
                rule,
                RateLimiter(rule.limits, strategy=rule.strategy, burst=rule.burst, storage=self.storage, clock=clock),
            )
            for rule in ordered
        ]
        self._classify = classify

    @property
    def routes(self) -> list[str]:
        """The templates and prefixes that the rules name."""
        return sorted({rule.route for rule, _ in self._limiters if rule.route is not None})

    async def admit(self, request: AdmissionRequest) -> RateLimitDecision:
        """Decide and count in one step; a refused request is not counted."""
        client_class = self._classify(request) if self._classify else None
        rule, limiter = next(each for each in self._limiters if each[0].applies(request, client_class))
        decisions = await limiter.decide(_identity(rule, request), request.cost)
        place = tightest(decisions)
        if not decisions[place].allowed and self._observers:
            tell(self._observers, events.Decision("rate_limit", rule.name, "refused"))
        return _told(rule, decisions[place], limiter.items[place].get_expiry())

    async def usage(self, client: str) -> list[RateLimitDecision]:
        """What a client, or a tenant, would be told by each limit of the rules that it has used; nothing is counted."""
        told: list[RateLimitDecision] = []
        for rule, limiter in self._limiters:
            for scope in ("client", "tenant"):
                for item, decision in zip(limiter.items, await limiter.look(scope, client), strict=True):
                    if decision.remaining < decision.limit:
                        told.append(_told(rule, decision, item.get_expiry()))
        return told

    async def forget(self, client: str) -> None:
        """Forget what a client, or a tenant, has used under all rules.

        Raises:
            StoreLost: A shared storage cannot be told.
        """
        for _, limiter in self._limiters:
            await limiter.forget("client", client)
            await limiter.forget("tenant", client)

    async def aclose(self) -> None:
        """Close a shared storage."""
        for _, limiter in self._limiters:
            await limiter.aclose()


def _identity(rule: RateLimitRule, request: AdmissionRequest) -> tuple[str, ...]:
    if rule.scope == "global":
        return ("global",)
    if rule.scope == "tenant" and request.tenant is not None:
        return ("tenant", request.tenant)
    return ("client", request.client)


def _told(rule: RateLimitRule, decision: Decision, window: int) -> RateLimitDecision:
    return RateLimitDecision(
        allowed=decision.allowed,
        limit=decision.limit,
        remaining=decision.remaining,
        reset_after=decision.reset_after,
        retry_after=decision.retry_after,
        policy=rule.name,
        window=window,
    )
