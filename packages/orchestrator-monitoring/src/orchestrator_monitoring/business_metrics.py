"""What calls are worth: started, served, abandoned, understood, handed over, and what they brought and cost.

What the user types:

    metrics = Metrics(BUSINESS_METRICS, registers={"tenants": tenants.__contains__})
    business = BusinessMetrics(metrics)
    business.happened(event)          # every event of every call
    business.moved(change)            # every change of a call's state
    business.follow_running(running)  # who runs now, asked at every scrape

Everything follows from the events of the calls themselves, so no metric can be forgotten at the place where something happens. The calls that run are asked for, not
counted up and down: whatever way a call leaves the process, the gauge comes down. Who has no such events can count facts by hand: `business.count(Rated("hotel-7", 5))`.

**Abandoned** is a call that ended before anything the caller said was answered, while they waited for an answer or an action, on hold, while being handed over, or after that because
nobody took over; who hangs up in the middle of a dialogue that works has been served. **Test calls** are no business: `is_trial` says which are, and nothing of them is counted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Final, assert_never

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_monitoring._business import declarations as declared
from orchestrator_monitoring._business.declarations import BUSINESS_METRICS
from orchestrator_monitoring._business.facts import (
    ActionDone,
    BargedIn,
    CallAnswered,
    CallEnded,
    CallFact,
    CallOutcome,
    CallStage,
    CallStarted,
    GoalReached,
    HandedOff,
    KeyPressed,
    Misunderstood,
    Rated,
    SpeechUsed,
    StageTimed,
    TokensUsed,
    TurnClosed,
    TurnHeard,
    Understood,
    WordsSpoken,
)
from orchestrator_monitoring._business.follower import KNOWN_EVENTS, CallEvent, CallFollower, CallMove
from orchestrator_monitoring._business.summary import summarize
from orchestrator_monitoring.metrics import Counter, Metrics

__all__ = [
    "BUSINESS_METRICS",
    "KNOWN_EVENTS",
    "ActionDone",
    "BargedIn",
    "BusinessMetrics",
    "CallAnswered",
    "CallEnded",
    "CallEvent",
    "CallFact",
    "CallFollower",
    "CallMove",
    "CallOutcome",
    "CallStage",
    "CallStarted",
    "GoalReached",
    "HandedOff",
    "KeyPressed",
    "Misunderstood",
    "Price",
    "Prices",
    "Rated",
    "SpeechUsed",
    "StageTimed",
    "TokensUsed",
    "TurnClosed",
    "TurnHeard",
    "Understood",
    "WordsSpoken",
    "summarize",
]

_WORD: Final = re.compile(r"[a-z][a-z_ ]{0,39}")
_CODE: Final = re.compile(r"[A-Z]{3}")


@dataclass(frozen=True, slots=True)
class Price:
    """What one unit costs.

    Args:
        amount: For `per` units.
        currency: ISO 4217.
        per: Units, for instance a million characters.

    Raises:
        ConfigurationError: The amount is negative, `per` is not positive, or the currency has no three capital letters.
    """

    amount: float
    currency: str
    per: float = 1.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.amount < inf or not 0.0 < self.per < inf or _CODE.fullmatch(self.currency) is None:
            raise ConfigurationError(
                f"a price is an amount from zero up for a positive number of units in a currency like EUR, not {self}"
            )

    def of(self, units: float) -> float:
        """What so many units cost."""
        return self.amount * units / self.per


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """What is paid for. Without a price nothing is counted as cost.

    Attributes:
        speech: Of a character that is handed to a voice.
        prompt: Of a token that a language model is given.
        completion: Of a token that it writes.
    """

    speech: Price | None = None
    prompt: Price | None = None
    completion: Price | None = None


def _none_is(_call_id: str) -> bool:
    return False


class BusinessMetrics:
    """Counts what happens in calls.

    Args:
        metrics: Made of declarations that hold `BUSINESS_METRICS`.
        prices: For the cost counters.
        is_trial: By a call's id, whether somebody tries the service and is no caller; None where there are no such calls.

    Raises:
        ConfigurationError: `metrics` does not hold `BUSINESS_METRICS`.
    """

    def __init__(
        self, metrics: Metrics, *, prices: Prices | None = None, is_trial: Callable[[str], bool] | None = None
    ) -> None:
        self._metrics = metrics
        self._prices = prices or Prices()
        self._is_trial = is_trial or _none_is
        self._follower = CallFollower()
        self._in_progress = metrics.gauge(declared.IN_PROGRESS)

    def happened(self, event: CallEvent) -> None:
        """Count what an event of a call means."""
        if not self._is_trial(event.call_id):
            self._count_all(self._follower.happened(event))

    def moved(self, move: CallMove) -> None:
        """Count what a change of a call's state means."""
        if not self._is_trial(move.call_id):
            self._count_all(self._follower.moved(move))

    def follow_running(
        self,
        running: Callable[[], Mapping[str, tuple[str, str]]],
        *,
        tenants: Callable[[], Iterable[str]] = tuple,
    ) -> None:
        """Ask at every scrape which calls run in this process.

        Args:
            running: By id, their tenant and state.
            tenants: Those that are shown with no call, too: a series that is missing is no zero.
        """

        def read() -> dict[tuple[str, ...], float]:
            now = running()
            self._follower.keep_only(now.keys())
            counted: dict[tuple[str, ...], float] = {(tenant, "active"): 0.0 for tenant in tenants()}
            for call_id, place in now.items():
                if not self._is_trial(call_id):
                    counted[place] = counted.get(place, 0.0) + 1.0
            return counted

        self._metrics.follow(declared.IN_PROGRESS, read)

    def _count_all(self, facts: Iterable[CallFact]) -> None:
        for fact in facts:
            self.count(fact)

    def count(self, fact: CallFact) -> None:  # noqa: C901, PLR0912 - one branch per kind of fact
        """Count one fact."""
        match fact:
            case CallStarted():
                self._add(declared.STARTED, fact.tenant, fact.channel)
            case CallAnswered():
                self._add(declared.ANSWERED, fact.tenant)
            case CallEnded():
                self._ended(fact)
            case TurnClosed():
                self._add(declared.TURNS, fact.tenant, fact.outcome)
            case StageTimed():
                self._metrics.histogram(declared.STAGE_SECONDS).labels(fact.stage).observe(fact.seconds)
            case BargedIn():
                self._add(declared.BARGE_INS, fact.tenant)
            case WordsSpoken():
                self._add(declared.WORDS_SPOKEN, fact.tenant, amount=fact.words)
                self._add(declared.WORDS_HEARD, fact.tenant, amount=fact.heard)
            case TurnHeard():
                self._metrics.histogram(declared.HEARD_RATIO).labels().observe(fact.ratio)
            case Misunderstood():
                self._add(declared.MISUNDERSTANDINGS, fact.tenant, fact.kind)
            case Understood():
                self._understood(fact)
            case HandedOff():
                self._add(declared.HANDOFFS, fact.tenant, fact.outcome)
            case KeyPressed():
                self._add(declared.KEYS, fact.kind)
            case ActionDone():
                self._acted(fact)
            case GoalReached():
                self._reached(fact)
            case Rated():
                self._metrics.histogram(declared.SATISFACTION).labels(fact.tenant).observe(fact.score)
            case SpeechUsed():
                self._add(declared.SPEECH_CHARACTERS, fact.tenant, amount=fact.characters)
                self._cost(fact.tenant, "speech", self._prices.speech, fact.characters)
            case TokensUsed():
                self._add(declared.TOKENS, fact.tenant, fact.kind, amount=fact.tokens)
                price = self._prices.prompt if fact.kind == "prompt" else self._prices.completion
                self._cost(fact.tenant, "chat", price, fact.tokens)
            case _:
                assert_never(fact)

    def _add(self, metric: Counter, *labels: str, amount: float = 1.0) -> None:
        self._metrics.counter(metric).labels(*labels).inc(amount)

    def _ended(self, fact: CallEnded) -> None:
        self._add(declared.ENDED, fact.tenant, fact.outcome)
        if fact.converted:
            self._add(declared.CONVERTED, fact.tenant)
        if fact.outcome == "abandoned":
            self._add(declared.ABANDONED, fact.tenant, fact.stage)
        if fact.outcome == "failed":
            # A reason is free text of a provider; a label is no place for what somebody may have said.
            word = fact.reason.lower().replace("-", "_")
            self._add(declared.FAILED, fact.tenant, fact.stage, word if _WORD.fullmatch(word) else "other")
        if fact.seconds is not None:
            self._metrics.histogram(declared.CALL_SECONDS).labels(fact.outcome).observe(fact.seconds)

    def _understood(self, fact: Understood) -> None:
        self._add(declared.INTENTS, fact.tenant, fact.intent)
        if fact.confidence is not None:
            self._metrics.histogram(declared.CONFIDENCE).labels().observe(fact.confidence)

    def _acted(self, fact: ActionDone) -> None:
        self._add(declared.ACTIONS, fact.tenant, fact.action, fact.status)
        if fact.seconds is not None:
            self._metrics.histogram(declared.ACTION_SECONDS).labels(fact.action).observe(fact.seconds)

    def _reached(self, fact: GoalReached) -> None:
        self._add(declared.GOALS, fact.tenant, fact.goal)
        if fact.currency:
            self._add(declared.GOAL_VALUE, fact.tenant, fact.goal, fact.currency, amount=fact.value)

    def _cost(self, tenant: str, service: str, price: Price | None, units: float) -> None:
        if price is not None:
            self._add(declared.COST, tenant, service, price.currency, amount=price.of(units))
