"""Starting and stopping the parts of a service in order.

What the user types: `lifecycle.add("journal", start=journal.open, stop=journal.close, requires=["database"])` for each part, then
`async with lifecycle:`. The pure part is the order (a topological sort that keeps the order of `add`). The shell runs each step
within its time limit: a failed start unwinds what had started, a failed stop never skips the rest, and all errors come back as one
group. `drain` asks the parts to finish what runs and take nothing new. A part that works in rounds waits between them with
`await done_before(stopping, clock.sleep(60))`, so that whoever stops it need not wait for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from types import TracebackType
from typing import Self, TypeVar

from orchestrator_kernel.exceptions import ConfigurationError, OrchestratorError

__all__ = ["Component", "Lifecycle", "StartFailed", "StopFailed", "cancel", "done_before", "first_ended"]

logger = logging.getLogger(__name__)

Step = Callable[[], Awaitable[object]]
Drain = Callable[[float], Awaitable[object]]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Component:
    """One part of a service; times in seconds."""

    name: str
    start: Step | None
    stop: Step | None
    drain: Drain | None
    requires: tuple[str, ...]
    start_timeout: float
    stop_timeout: float


class StartFailed(OrchestratorError):
    """A component did not start; everything that had started was stopped again.

    `errors` holds the reason first, then what went wrong while unwinding.
    """

    default_code = "start_failed"

    def __init__(self, component: str, errors: list[Exception]) -> None:
        super().__init__(f"{component} did not start: {errors[0]}", details={"component": component})
        self.component = component
        self.errors = errors

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.component, self.errors)


class StopFailed(ExceptionGroup[Exception]):
    """Everything was stopped, but these steps failed."""

    def derive(self, excs: Iterable[Exception], /) -> StopFailed:  # type: ignore[override]  # narrower on purpose
        return StopFailed(self.message, list(excs))


class Lifecycle:
    """Named components with dependencies, started in order and stopped in reverse."""

    def __init__(self) -> None:
        self._components: dict[str, Component] = {}
        self._started: list[Component] = []
        self._draining = False

    @property
    def started(self) -> tuple[str, ...]:
        """The names of what runs, in the order it started."""
        return tuple(component.name for component in self._started)

    @property
    def draining(self) -> bool:
        """Whether `drain` was called: take no new work."""
        return self._draining

    def add(
        self,
        name: str,
        *,
        start: Step | None = None,
        stop: Step | None = None,
        drain: Drain | None = None,
        requires: Iterable[str] = (),
        start_timeout: float = 30.0,
        stop_timeout: float = 10.0,
    ) -> None:
        """Declare a component.

        Args:
            name: Unique.
            start: Makes it ready; awaited before anything that requires it starts.
            stop: Ends it; awaited even when other stops fail.
            drain: Given the seconds that are left; returns when nothing runs any more.
            requires: Names of components that must run first; they may be added later.
            start_timeout: Seconds.
            stop_timeout: Seconds.

        Raises:
            ConfigurationError: The name is taken.
        """
        if name in self._components:
            raise ConfigurationError(f"component {name} is declared twice", details={"component": name})
        self._components[name] = Component(name, start, stop, drain, tuple(requires), start_timeout, stop_timeout)

    def order(self) -> tuple[str, ...]:
        """The names in starting order: dependencies first, otherwise as added.

        Raises:
            ConfigurationError: A requirement is unknown, or the requirements form a circle; the message names them.
        """
        for component in self._components.values():
            for required in component.requires:
                if required not in self._components:
                    raise ConfigurationError(f"component {component.name} requires {required}, which is not declared")
        sorter = TopologicalSorter({name: component.requires for name, component in self._components.items()})
        try:
            sorter.prepare()
        except CycleError as error:
            raise ConfigurationError("components require each other: " + " → ".join(error.args[1])) from error
        rank = {name: index for index, name in enumerate(self._components)}
        ordered: list[str] = []
        ready = sorted(sorter.get_ready(), key=rank.__getitem__)
        while ready:
            name = ready.pop(0)
            ordered.append(name)
            sorter.done(name)
            ready = sorted([*ready, *sorter.get_ready()], key=rank.__getitem__)
        return tuple(ordered)

    async def start(self) -> None:
        """Start everything in order.

        Raises:
            ConfigurationError: It runs already, or `order` refuses the requirements.
            StartFailed: A component failed or took too long; nothing is left running.
        """
        if self._started:
            raise ConfigurationError("the lifecycle was started already; stop it first")
        self._draining = False
        for name in self.order():
            component = self._components[name]
            try:
                await _within(component.start, component.start_timeout, name, "start")
            except Exception as error:
                errors = [error, *await self._stop_started()]
                raise StartFailed(name, errors) from error
            except BaseException:
                await self._stop_started()
                raise
            self._started.append(component)
            logger.debug("component started", extra={"component": name})

    async def drain(self, limit: float) -> None:
        """Ask every running component to finish its work within `limit` seconds; what does not finish is left to `stop`."""
        self._draining = True
        drains = [component.drain(limit) for component in self._started if component.drain is not None]
        try:
            async with asyncio.timeout(limit):
                results = await asyncio.gather(*drains, return_exceptions=True)
        except TimeoutError:
            logger.warning("drain took too long", extra={"limit_seconds": limit})
            return
        for result in results:
            if isinstance(result, BaseException):
                logger.error("drain failed", exc_info=result)

    async def stop(self) -> None:
        """Stop everything in reverse order, each within its limit.

        A cancellation ends the step that is running, then the rest is stopped, then the cancellation goes on.

        Raises:
            StopFailed: With every error; everything was tried all the same.
        """
        errors = await self._stop_started()
        if errors:
            raise StopFailed("some components did not stop cleanly", errors)

    async def _stop_started(self) -> list[Exception]:
        errors: list[Exception] = []
        cancelled: asyncio.CancelledError | None = None
        while self._started:
            component = self._started.pop()
            try:
                await _within(component.stop, component.stop_timeout, component.name, "stop")
            except asyncio.CancelledError as error:
                cancelled = error
            except Exception as error:  # noqa: BLE001 - every component gets its turn, the group is raised after
                errors.append(error)
        if cancelled is not None:
            for failure in errors:
                logger.error("stop failed", exc_info=failure)
            raise cancelled
        return errors

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()


async def done_before(stopping: asyncio.Event, work: Coroutine[object, object, object]) -> bool:
    """Do `work`, unless `stopping` is set first: then it is cut off.

    Returns:
        Whether it was done; what it raises is raised here. Nothing of it runs any more when this returns, cancelled or not.
    """
    task = asyncio.create_task(work)
    if task not in await first_ended(task, asyncio.create_task(_until(stopping))):
        return False
    await task
    return True


async def first_ended(*tasks: asyncio.Task[T]) -> list[asyncio.Task[T]]:
    """Wait until one of them ends, and have the others end.

    Returns:
        Those that ended by themselves. Nothing of the others runs any more when this returns, cancelled or not.
    """
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return [task for task in tasks if task.done()]
    finally:
        await cancel(*tasks)


async def cancel(*tasks: asyncio.Task[object]) -> None:
    """Cancel them, and return when nothing of them runs any more; what they raised is dropped. Those that ended are left as they are."""
    for each in tasks:
        each.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _until(event: asyncio.Event) -> object:
    return await event.wait()


async def _within(step: Step | None, limit: float, name: str, verb: str) -> None:
    if step is None:
        return
    scope = asyncio.timeout(limit)
    try:
        async with scope:
            await step()
    except TimeoutError as error:
        if scope.expired():
            raise OrchestratorError(f"{name} took longer than {limit:g} s to {verb}", code="step_timed_out") from error
        raise
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        # Nobody cancelled us: the step awaited something that was cancelled, which is its failure.
        raise OrchestratorError(f"{name} awaited a cancelled task and did not {verb}", code="step_cancelled") from error
