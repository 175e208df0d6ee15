"""A metric's series: the one for these label values, made at its first use and the same ever after."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

from orchestrator_monitoring._metrics.bounding import Admit
from orchestrator_monitoring._metrics.children import Child
from orchestrator_monitoring._metrics.declarations import Metric
from orchestrator_monitoring._metrics.label_bounds import OneOf
from orchestrator_monitoring._metrics.series import LabelValues

__all__ = ["Family"]

ChildT = TypeVar("ChildT", bound=Child)


class Family(Generic[ChildT]):
    """The series of one metric. Ask for a child once and keep it: to look one up costs more than to count."""

    def __init__(self, metric: Metric, admit: tuple[Admit, ...], make: Callable[[LabelValues], ChildT]) -> None:
        self.metric = metric
        self._admit = admit
        self._make = make
        self._children: dict[LabelValues, ChildT] = {}
        self._lock = Lock()
        self._first()

    def _first(self) -> None:
        # A series that is there from the start shows its first increase, too.
        bounds = tuple(self.metric.labels.values())
        if not bounds:
            self.labels()
        elif len(bounds) == 1 and isinstance(bounds[0], OneOf):
            for value in bounds[0].values:
                self.labels(value)

    def labels(self, *values: str) -> ChildT:
        """The series of these label values, in the order of the declaration; what is out of bounds is counted as `other`.

        Raises:
            ValueError: The number of values is not that of the labels.
        """
        child = self._children.get(values)
        return self._bounded(values) if child is None else child

    def _bounded(self, values: LabelValues) -> ChildT:
        if len(values) != len(self._admit):
            names = ", ".join(self.metric.labels) or "none"
            raise ValueError(f"{self.metric.name} has the labels {names}, not {len(values)} values")
        with self._lock:
            admitted = tuple(admit(value) for admit, value in zip(self._admit, values, strict=True))
            child = self._children.get(admitted)
            if child is None:
                child = self._children[admitted] = self._make(admitted)
            return child

    def after_fork(self) -> None:
        """Drop a lock that a thread of the parent may hold for ever."""
        self._lock = Lock()

    def children(self) -> dict[LabelValues, ChildT]:
        """All series there are."""
        with self._lock:
            return dict(self._children)
