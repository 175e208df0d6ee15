"""How much time measurements take in this context."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

from orchestrator_performance.benchmarking._errors import BenchmarkError

_factor: ContextVar[float] = ContextVar("orchestrator_performance_pace", default=1.0)


@contextmanager
def pace(factor: float) -> Generator[None]:
    """Every `compare` and `open_loop` inside takes `factor` times the seconds it was given; the runner's `--quick` is 0.1.

    For trying out a benchmark: what is measured stays the same, intervals get wider and high percentiles poorer.
    """
    if not factor > 0:
        raise BenchmarkError(f"a pace is a number above 0, not {factor:g}")
    token = _factor.set(_factor.get() * factor)
    try:
        yield
    finally:
        _factor.reset(token)


def paced(seconds: float) -> float:
    """The seconds to take."""
    return seconds * _factor.get()
