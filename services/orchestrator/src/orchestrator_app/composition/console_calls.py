"""Calls for the operators' page: what the runtime tells is kept in memory, the journal has the rest."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from orchestrator_calls.call import Call, Turn
from orchestrator_calls.events import TERMINAL, CallState, EventType
from orchestrator_calls.journal import CallRow, Journal
from orchestrator_calls.notices import EventKept, Notice, StateChanged, TurnTimed
from orchestrator_calls.responder import HangUp, Transfer
from orchestrator_calls.runtime import CallNotFound, CallRuntime
from orchestrator_kernel.ports import Clock
from orchestrator_kernel.ports.operations import CallSummary, CallTranscript, CallTurn

__all__ = ["CallBoard"]

_LATENCIES: Final = 30
_READ_AT_ONCE: Final = 10
"""How many calls that this process does not run are read anew for one list."""
_PAGE: Final = 500
_ENDED_LATELY: Final = 1_000
"""How many ended calls are remembered as such until the journal's list says so too."""
_SETTLED: Final = timedelta(minutes=1)
"""A call that was not heard of for so long is in the journal's list, if it is open."""


@dataclass(slots=True)
class _Seen:
    """What was told of one open call.

    Attributes:
        here: This process runs it.
        read_at: When its figures were read from the journal, monotonic.
        row: Its line in the journal, once that was read.
        state: As it was told; the line in the journal follows a little later.
    """

    updated_at: datetime
    turns: int = 0
    latencies: deque[float] = field(default_factory=lambda: deque(maxlen=_LATENCIES))
    here: bool = True
    read_at: float = 0.0
    row: CallRow | None = None
    state: CallState | None = None


class CallBoard:
    """`LiveCalls` of this service. Of calls that other processes run, figures are read from the journal, some at a time."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        self._runtime: CallRuntime | None = None
        self._seen: dict[str, _Seen] = {}
        self._over: OrderedDict[str, CallState] = OrderedDict()
        self._telling: dict[object, Callable[[str], None]] = {}

    def serve(self, runtime: CallRuntime) -> None:
        """Whom to ask for what is said."""
        self._runtime = runtime

    def observe(self, notice: Notice) -> None:
        """Take in what the runtime tells; nothing here blocks or raises."""
        call_id = notice.event.call_id if isinstance(notice, EventKept) else notice.call_id
        match notice:
            case EventKept(event) if event.type is EventType.TURN_OPENED:
                self._of(call_id).turns += 1
            case TurnTimed():
                self._of(call_id).latencies.append(notice.seconds * 1000)
            case StateChanged() if notice.after in TERMINAL:
                self._end(call_id, notice.after)
                return
            case StateChanged():
                self._of(call_id).state = notice.after
            case _:
                pass
        if call_id in self._seen:
            self._seen[call_id].updated_at = self._clock.now()
        self._tell(call_id)

    def _end(self, call_id: str, state: CallState) -> None:
        self._seen.pop(call_id, None)
        self._over[call_id] = state
        while len(self._over) > _ENDED_LATELY:
            self._over.popitem(last=False)
        self._tell(call_id)

    def _of(self, call_id: str) -> _Seen:
        return self._seen.setdefault(call_id, _Seen(self._clock.now()))

    def _tell(self, call_id: str) -> None:
        for tell in tuple(self._telling.values()):
            tell(call_id)

    @contextmanager
    def watch(self, tell: Callable[[str], None]) -> Generator[None, None, None]:
        mark = object()
        self._telling[mark] = tell
        try:
            yield
        finally:
            del self._telling[mark]

    async def calls(self, *, tenants: Callable[[str], bool], open_only: bool, limit: int) -> Sequence[CallSummary]:
        rows: list[CallRow] = []
        known: set[str] = set()
        before: CallRow | None = None
        while len(rows) < limit:
            page = await self._journal.calls(open_only=open_only, limit=_PAGE, before=before)
            known.update(row.call_id for row in page)
            rows += [row for row in page if tenants(row.tenant) and not (open_only and row.call_id in self._over)]
            if len(page) < _PAGE:
                if open_only:
                    self._forget(known)
                break
            before = page[-1]
        await self._read(row for row in rows[:limit] if row.state not in TERMINAL)
        return [self._summary(row) for row in rows[:limit]]

    def _forget(self, open_calls: set[str]) -> None:
        """Drop what is kept of calls that are over, where their end was not told here."""
        since = self._clock.now() - _SETTLED
        for call_id in [
            each for each, seen in self._seen.items() if each not in open_calls and seen.updated_at < since
        ]:
            del self._seen[call_id]

    async def _read(self, rows: Iterable[CallRow]) -> None:
        """Read the figures of calls that began before this process, or are run elsewhere: never read ones first, then those read longest ago."""
        foreign = [
            row for row in rows if (seen := self._seen.get(row.call_id)) is None or not (seen.here and seen.read_at)
        ]
        foreign.sort(key=lambda row: self._seen[row.call_id].read_at if row.call_id in self._seen else 0.0)
        if self._runtime is None or not foreign:
            return
        running = self._runtime.running()
        for row in foreign[:_READ_AT_ONCE]:
            try:
                call = await self._runtime.view(row.call_id)
            except CallNotFound:
                continue
            read_at = self._clock.monotonic()
            figures = _figures(call, row, here=row.call_id in running, read_at=read_at)
            seen = self._seen.get(row.call_id)
            if seen is not None and figures.here:
                # Replies that are not sounded here are timed by what is told alone.
                figures.latencies = max(seen.latencies, figures.latencies, key=len)
                figures.state = seen.state
            self._seen[row.call_id] = figures

    def _summary(self, row: CallRow) -> CallSummary:
        seen = self._seen.get(row.call_id)
        state = self._over.get(row.call_id) or (seen.state if seen is not None and seen.here else None) or row.state
        is_open = state not in TERMINAL
        if seen is not None:
            seen.row = row
        return CallSummary(
            id=row.call_id,
            tenant=row.tenant,
            state=state.value,
            is_open=is_open,
            started_at=row.created_at,
            updated_at=row.updated_at if seen is None else max(seen.updated_at, row.updated_at),
            turns=0 if seen is None else seen.turns,
            latencies_ms=() if seen is None else tuple(seen.latencies),
        )

    async def call(self, call_id: str) -> CallSummary | None:
        seen = self._seen.get(call_id)
        # A page asks for every call in which something happens: the journal is asked for each once.
        row = seen.row if seen is not None and seen.here else None
        row = row or await self._journal.call(call_id)
        return None if row is None else self._summary(row)

    async def transcript(self, call_id: str) -> CallTranscript | None:
        row = await self._journal.call(call_id)
        if row is None or self._runtime is None:
            return None
        call = await self._runtime.view(call_id)
        return _transcript(row, call)


def _figures(call: Call, row: CallRow, *, here: bool, read_at: float) -> _Seen:
    latencies = [each for turn in call.turns.values() if (each := _latency(turn)) is not None]
    updated = call.last_event or row.updated_at
    return _Seen(updated, call.turn_count, deque(latencies, maxlen=_LATENCIES), here, read_at)


def _transcript(row: CallRow, call: Call) -> CallTranscript:
    turns = tuple(_turn(turn) for turn in call.turns.values())
    updated = call.ended_at if call.state in TERMINAL else call.last_event
    summary = CallSummary(
        id=call.id,
        tenant=call.tenant,
        state=call.state.value,
        is_open=call.state not in TERMINAL,
        started_at=row.created_at,
        updated_at=updated or row.updated_at,
        turns=call.turn_count,
        latencies_ms=tuple(turn.latency_ms for turn in turns if turn.latency_ms is not None)[-_LATENCIES:],
    )
    return CallTranscript(call=summary, language=call.language, end_reason=call.end_reason, turns=turns)


def _turn(turn: Turn) -> CallTurn:
    return CallTurn(
        id=turn.id,
        kind=turn.kind.value,
        caller=turn.shown,
        spoken=tuple(sentence.text for sentence in turn.sentences if not sentence.is_rest),
        heard=turn.heard,
        interrupted=turn.interrupted,
        intent=(turn.note.intent or "") if turn.note else "",
        notes=tuple(_notes(turn)),
        latency_ms=_latency(turn),
    )


def _latency(turn: Turn) -> float | None:
    return next((each.latency_ms for each in turn.sentences if each.latency_ms is not None), None)


def _notes(turn: Turn) -> Iterable[str]:
    for broke in sorted({sentence.broke for sentence in turn.sentences if sentence.broke}):
        yield f"broke off: {broke.replace('_', ' ')}"
    if turn.note is not None and turn.note.detail:
        yield turn.note.detail
    match turn.command:
        case Transfer(target, _):
            yield f"transfer to {target}"
        case HangUp(reason):
            yield f"hangs up: {reason}" if reason else "hangs up"
        case None:
            return
