"""Who gives memory back when it runs short: components, their limits, and in which order they are asked."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.models import require_identifier

__all__ = ["Budget", "Component", "Shed"]

logger = logging.getLogger(__name__)

ShedCallback = Callable[[int], int | Awaitable[int]]


@dataclass(frozen=True, slots=True)
class Component:
    """A part of the process that knows what it holds.

    Attributes:
        name: In reports and metrics.
        usage: Bytes that it holds, about; cheap to ask.
        shed: Gives back about so many bytes and says how many; None if it cannot. Runs on the event loop, so it works piece by piece.
        limit: More than this is shed even when the process has room; None for no limit of its own.
        priority: The lowest is asked first: caches 0, buffers 10, what hurts last.
    """

    name: str
    usage: Callable[[], int]
    shed: ShedCallback | None = None
    limit: int | None = None
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Shed:
    """What a component gave back, and why.

    Attributes:
        component: Its name.
        asked: Bytes that it was asked for.
        freed: Bytes that it says it gave back.
        reason: `process` or `component`: whose limit was passed.
    """

    component: str
    asked: int
    freed: int
    reason: str


class Budget:
    """The components of a process."""

    def __init__(self) -> None:
        self._components: dict[str, Component] = {}

    def register(self, component: Component) -> None:
        """Take a component in.

        Raises:
            ConfigurationError: The name is taken.
        """
        require_identifier(component.name, "component")
        if component.name in self._components:
            raise ConfigurationError(f"there is a component {component.name} already")
        self._components[component.name] = component

    def usage(self) -> dict[str, int]:
        """Bytes by component."""
        return {name: each.usage() for name, each in self._components.items()}

    async def keep_limits(self) -> list[Shed]:
        """Ask those that hold more than their own limit."""
        done: list[Shed] = []
        for each in self._components.values():
            if each.limit is not None and (over := each.usage() - each.limit) > 0:
                done += await self._ask(each, over, "component")
        return done

    async def free(self, wanted: int) -> list[Shed]:
        """Ask one after the other until so many bytes were given back."""
        done: list[Shed] = []
        for each in sorted(self._components.values(), key=lambda each: each.priority):
            if wanted <= 0:
                break
            given = await self._ask(each, min(wanted, each.usage()), "process")
            wanted -= sum(each.freed for each in given)
            done += given
        return done

    async def _ask(self, component: Component, bytes_: int, reason: str) -> list[Shed]:
        if component.shed is None or bytes_ <= 0:
            return []
        try:
            answer = component.shed(bytes_)
            freed = await answer if inspect.isawaitable(answer) else answer
        except Exception:
            # The next one is asked; the process needs the memory.
            logger.exception("a component could not shed memory", extra={"component": component.name})
            freed = 0
        return [Shed(component.name, bytes_, freed, reason)]
