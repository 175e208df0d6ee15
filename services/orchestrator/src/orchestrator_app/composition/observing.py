"""What looks at the application from beside: its health, its port for operations, and the calls of the operators' page."""

from __future__ import annotations

from orchestrator_app.composition.audio import Hearing
from orchestrator_app.composition.auth import AuthKeeper
from orchestrator_app.composition.console_calls import CallBoard
from orchestrator_app.composition.database import Databases
from orchestrator_app.composition.health import HealthKeeper, make_health
from orchestrator_app.composition.metrics import Metrics
from orchestrator_app.composition.operations import OperationsPort
from orchestrator_app.composition.performance import Performance
from orchestrator_app.composition.performance_health import add_performance_checks
from orchestrator_app.composition.resilience import Resilience
from orchestrator_app.composition.speech import Voices
from orchestrator_app.composition.watching import Watchers
from orchestrator_app.settings import AppSettings
from orchestrator_calls.journal import Journal
from orchestrator_calls.runtime import CallRuntime
from orchestrator_kernel.dependencies import Registry
from orchestrator_kernel.lifecycle import Lifecycle
from orchestrator_kernel.ports import Clock

__all__ = ["watch_application"]


def watch_application(registry: Registry, lifecycle: Lifecycle, settings: AppSettings, clock: Clock) -> None:
    """Everything that looks on, from what the registry holds already."""
    metrics, runtime = registry.get(Metrics), registry.get(CallRuntime)
    metrics.follow_calls(runtime.running)
    board = registry.provide(CallBoard, CallBoard(registry.get(Journal), clock))  # type: ignore[type-abstract]
    board.serve(runtime)
    registry.get(Watchers).also(board.observe)
    keeper = registry.provide(
        HealthKeeper,
        make_health(
            settings,
            clock,
            lifecycle=lifecycle,
            metrics=metrics,
            journal=registry.get(Journal),  # type: ignore[type-abstract]  # a protocol names what is provided
            databases=registry.get(Databases),
            resilience=registry.get(Resilience),
            voices=registry.get(Voices),
            hearing=registry.get(Hearing),
            vault=registry.get(AuthKeeper).vault,
        ),
    )
    add_performance_checks(keeper.health, registry.get(Performance))
    port = registry.provide(OperationsPort, OperationsPort(settings, metrics, keeper))
    lifecycle.add("metrics", start=lambda: metrics.start(clock), stop=metrics.stop)
    lifecycle.add("health", start=keeper.start, stop=keeper.stop, requires=["metrics", "journal"])
    lifecycle.add("operations port", start=port.start, stop=port.stop, requires=["health"])
