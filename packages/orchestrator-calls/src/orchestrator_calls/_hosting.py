"""The calls at work in one process: loaded from the journal, run, handed over to other processes and taken over from them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import TypeVar

from orchestrator_calls._actor import Actor
from orchestrator_calls._environment import Environment
from orchestrator_calls._following import Following
from orchestrator_calls._peers import Peers, PeersConfig
from orchestrator_calls._receipt import Draining
from orchestrator_calls._snapshot import taken_up
from orchestrator_calls.call import Call
from orchestrator_calls.events import TERMINAL, CallState
from orchestrator_calls.journal import CallRow, Fenced, JournalUnavailable, Lease, News
from orchestrator_calls.notices import CallResumed
from orchestrator_kernel.exceptions import OrchestratorError
from orchestrator_kernel.lifecycle import cancel
from orchestrator_kernel.ports import Erased

__all__ = ["Hosting", "ended", "seen"]

logger = logging.getLogger(__name__)

T = TypeVar("T")


class Hosting:
    """The actors of one process.

    Attributes:
        actors: By call.
        calls: Their tasks.
        loading: Calls that are being read.
        closed: No call is loaded any more.
        peers: The other processes; None for the only one.
    """

    def __init__(self, environment: Environment, language: Callable[[str], str], peers: PeersConfig | None) -> None:
        self._env = environment
        self._language = language
        self.actors: dict[str, Actor] = {}
        self.calls: set[asyncio.Task[None]] = set()
        self.loading: dict[str, asyncio.Task[Actor | None]] = {}
        self.closed = False
        self._reviving: set[asyncio.Task[None]] = set()
        self.following = Following(environment.journal, environment.clock, language, self._owned)
        self.peers = Peers(peers, environment.journal, environment.clock, self) if peers else None

    @property
    def name(self) -> str:
        """This process's among its peers; empty for the only one."""
        return self.peers.name if self.peers else ""

    async def start(self, most: int) -> None:
        """Take up the open calls: `most` at most, or those that no peer has."""
        if self.peers is not None:
            await self.peers.start()
            return
        rows = await self._env.journal.calls(open_only=True, limit=most)
        for row in rows:
            try:
                await self.actor(row)
            except JournalUnavailable:
                raise
            except OrchestratorError:
                # One call that cannot be read must not keep all others down.
                logger.exception("a call cannot be resumed", extra={"call_id": row.call_id})
        if rows:
            logger.info("calls resumed", extra={"count": len(self.actors)})

    async def actor(self, row: CallRow, lease: Lease | None = None, *, force: bool = False) -> Actor | None:
        """The call at work here; None when another process owns it, which `force` takes it from.

        Raises:
            Draining: The process is ending.
            JournalUnavailable: The call cannot be read.
        """
        while True:
            actor = self.actors.get(row.call_id)
            if actor is not None:
                return actor
            if self.closed:
                raise Draining("the service is ending", retry_after=5.0)
            loading = self.loading.get(row.call_id)
            ours = loading is None
            if loading is None:
                loading = asyncio.create_task(self._load(row, lease, force=force), name=f"load {row.call_id}")
                self.loading[row.call_id] = loading
                loading.add_done_callback(lambda _: self.loading.pop(row.call_id, None))
                loading.add_done_callback(seen)
            actor = await asyncio.shield(loading)
            if actor is not None or ours or not force:
                return actor

    async def _load(self, row: CallRow, lease: Lease | None, *, force: bool) -> Actor | None:
        if self.peers is not None and lease is None:
            lease = await self._claim(row.call_id, self.peers.name, force=force)
            if lease is None:
                return None
        call = Call(row.call_id, row.tenant, self._language(row.tenant))
        position, counts = await taken_up(self._env.journal, call)
        actor = Actor(row, call, self._env, lease)
        actor.resume(await self._env.journal.read(row.call_id, after=position), counts)
        if call.count:
            self._env.observe(CallResumed(call.id, call.tenant, call.caller, call.memory))
        self.actors[row.call_id] = actor
        task = asyncio.create_task(self._run(actor), name=f"call {row.call_id}")
        self.calls.add(task)
        task.add_done_callback(self.calls.discard)
        return actor

    async def _claim(self, call_id: str, name: str, *, force: bool) -> Lease | None:
        journal = self._env.journal
        lease = await journal.claim(call_id, name)
        if lease is not None or not force:
            return lease
        owner = (await journal.news({call_id: 0}))[call_id].lease.owner
        lease = await journal.claim(call_id, name, force=True)
        journal.hint(owner, call_id, name)
        return lease

    async def _run(self, actor: Actor) -> None:
        call = actor.call
        try:
            await actor.run()
        except Fenced:
            logger.info("another process goes on with the call", extra={"call_id": call.id})
            actor.fenced = True
        except Erased:
            logger.warning("the caller of an open call was erased; the call is over", extra={"call_id": call.id})
            with suppress(JournalUnavailable):  # the next start finds it, and comes here again
                await self._env.journal.mark(call.id, CallState.FAILED, lease=actor.lease)
        except Exception:
            # The call is not lost: its next event loads it from the journal again.
            logger.exception("a call stopped working", extra={"call_id": call.id})
        finally:
            del self.actors[call.id]
            actor.gone.set()

    # --- what peers tell ----------------------------------------------------------------------------------------------------

    def owns(self, call_id: str) -> bool:
        """Whether this call is at work here."""
        return call_id in self.actors

    def positions(self) -> dict[str, int]:
        """How far the news of each owned call is known."""
        return {call_id: actor.sharing.position for call_id, actor in self.actors.items()}

    def news(self, news: News, sender: str) -> None:
        """What others appended to an owned call, or that it is not ours any more."""
        actor = self.actors.get(news.lease.call_id)
        if actor is None:
            return
        if news.lease != actor.lease:
            actor.lose()
        else:
            actor.receive(news.events, self._env.clock.monotonic(), sender)

    def busy(self, call_id: str) -> None:
        """The process that owns this call has more waiting for it than it may."""
        self.following.busy(call_id)

    def told(self, call_id: str) -> None:
        """There is news of a call that is not at work here: of another process, for those who wait here; or of ours, which stopped."""
        if not self.following.told(call_id) and self.following.known(call_id) is None:
            self._take_up(call_id)

    def _owned(self, lease: Lease) -> None:
        if lease.owner == self.name and lease.call_id not in self.actors:
            self._take_up(lease.call_id)

    def _take_up(self, call_id: str) -> None:
        task = asyncio.create_task(self._revive(call_id), name=f"revive {call_id}")
        self._reviving.add(task)
        task.add_done_callback(self._reviving.discard)
        task.add_done_callback(seen)

    async def _revive(self, call_id: str) -> None:
        row = await self._env.journal.call(call_id)
        if row is None or row.state in TERMINAL or self.closed:
            return
        if await self.actor(row) is not None and self.peers is not None:
            # What the hint told of may have come after the call was read.
            self.peers.heard(call_id, "")

    async def take_over(self, row: CallRow, lease: Lease) -> None:
        """Go on with a call that nobody owned."""
        known = self.actors.get(row.call_id)
        if known is not None and known.lease is not None and known.lease.epoch > lease.epoch:
            # It was claimed again meanwhile, for an event that came in.
            return
        if known is not None:
            # The lease was over without our noticing; the call begins anew here, from the journal.
            known.lose()
            await known.gone.wait()
        if not self.closed:
            await self.actor(row, lease)


async def ended(tasks: Collection[asyncio.Task[T]], deadline: float) -> None:
    """Wait for tasks to end; those that have not by `deadline` (loop time) are cancelled."""
    if not tasks:
        return
    _, late = await asyncio.wait(tasks, timeout=max(0.0, deadline - asyncio.get_running_loop().time()))
    await cancel(*late)


def seen(task: asyncio.Task[T]) -> None:
    """What went wrong was told to whoever waited; if nobody did any more, it is told here."""
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.debug("work for a sender failed", exc_info=error)
