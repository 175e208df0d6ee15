"""The policies as they stand: which circuits are open, who waits, and what a client has left. Everything is read from the live objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from typing import Annotated, cast

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from orchestrator_app.routers._services import GUARD, Policies
from orchestrator_auth.fastapi_guard import requires
from orchestrator_auth.guard import PLATFORM
from orchestrator_kernel.exceptions import ConfigurationError, ValidationError
from orchestrator_resilience.manager import PipelineSnapshot
from orchestrator_utils.error_handler import problem_responses

__all__ = ["router"]

SPEECH = "tts_service"

router = APIRouter(prefix="/resilience", tags=["resilience"], responses=problem_responses(*GUARD))
looks = APIRouter(dependencies=[requires("resilience:view", tenant=PLATFORM)])
changes = APIRouter(dependencies=[requires("resilience:manage", tenant=PLATFORM)])


class UnknownDependency(ValidationError):
    """No pipeline has this name, or it has no such policy."""

    default_code = "unknown_dependency"
    default_status = 404


class Circuit(BaseModel):
    """A circuit breaker."""

    name: str
    state: str
    calls: int = Field(description="In the present window.")
    failures: int
    slow: int
    refused: int = Field(description="Since the process started.")
    opened: int = Field(description="How often, since the process started.")
    retry_after: float | None = Field(
        description="Seconds until a probe is let through; null unless the circuit is open."
    )


class Line(BaseModel):
    """Who runs and who waits for a dependency."""

    name: str
    limit: int
    running: int
    waiting: int
    shed: int = Field(description="Since the process started.")


class Dependency(BaseModel):
    """How calls to one dependency end."""

    name: str
    healthy: bool
    outcomes: dict[str, int] = Field(description="By the policy that decided; since the process started.")


class ResilienceHealth(BaseModel):
    """Whether every dependency may be asked."""

    status: Annotated[str, Field(description="healthy, or degraded when something is noted.")]
    notes: list[str] = Field(description="What is not as it should be, in words.")
    dependencies: list[Dependency]


class Allowance(BaseModel):
    """What a client has left under one rule."""

    rule: str
    limit: int
    remaining: int
    reset_after: float = Field(description="Seconds until all of it is there again.")


class Done(BaseModel):
    """What was reset."""

    reset: list[str]


Name = Annotated[str, Path(pattern="^[!-~]{1,100}$")]


@looks.get("/health")
async def health(policies: Policies) -> ResilienceHealth:
    """Every dependency, and whether it may be asked."""
    found, health = policies.manager.snapshot().values(), policies.manager.health()
    return ResilienceHealth(
        status="degraded" if health.notes else "healthy",
        notes=list(health.notes),
        dependencies=[_dependency(each) for each in found],
    )


@looks.get("/metrics")
async def outcomes(policies: Policies) -> list[Dependency]:
    """How calls ended, by the policy that decided."""
    return [_dependency(each) for each in policies.manager.snapshot().values()]


@looks.get("/circuit-breakers")
async def circuits(policies: Policies) -> list[Circuit]:
    """Every circuit."""
    return [_circuit(each) for each in policies.manager.snapshot().values() if each.breaker is not None]


@changes.post("/circuit-breakers/reset-all")
async def reset_all(policies: Policies) -> Done:
    """Close every circuit."""
    names = [each.name for each in policies.manager.snapshot().values() if each.breaker is not None]
    return _reset(names, policies)


@looks.get("/circuit-breakers/{name}", responses=problem_responses(UnknownDependency))
async def circuit(name: Name, policies: Policies) -> Circuit:
    """One circuit."""
    return _circuit(_of(name, policies))


@looks.get("/backpressure")
async def lines(policies: Policies) -> list[Line]:
    """Who runs and who waits, for every dependency."""
    return [_line(each) for each in policies.manager.snapshot().values() if each.bulkhead is not None]


@looks.get("/backpressure/{name}", responses=problem_responses(UnknownDependency))
async def line(name: Name, policies: Policies) -> Line:
    """Who runs and who waits, for one dependency."""
    return _line(_of(name, policies))


@looks.get("/tts-clients")
async def speech(policies: Policies) -> Dependency:
    """The speech services."""
    return _dependency(_of(SPEECH, policies))


@looks.get("/rate-limits/{client}")
async def allowances(client: Name, policies: Policies) -> list[Allowance]:
    """What a client has left under the rules that it has used: `id:operator`, or `ip:` and an address."""
    return [
        Allowance(rule=each.policy, limit=each.limit, remaining=each.remaining, reset_after=each.reset_after)
        for each in await policies.admission.usage(client)
    ]


@looks.get("/config")
async def configuration(policies: Policies) -> dict[str, object]:
    """The policies in force: pipelines by dependency, and the rules for what comes in."""
    pipelines = {name: _plain(policies.manager.pipeline(name).config) for name in policies.manager.names}
    return {"pipelines": pipelines, "rate_limits": [_plain(rule) for rule in policies.rules]}


@changes.post("/circuit-breakers/{name}/reset", responses=problem_responses(UnknownDependency))
async def reset(name: Name, policies: Policies) -> Done:
    """Close a circuit."""
    _circuit(_of(name, policies))
    return _reset([name], policies)


@changes.post("/tts-clients/reset-circuit-breakers")
async def reset_speech(policies: Policies) -> Done:
    """Close the circuit of the speech services."""
    return _reset([SPEECH], policies)


@changes.post("/rate-limits/{client}/reset")
async def reset_client(client: Name, policies: Policies) -> Done:
    """Forget what a client has used under every rule."""
    await policies.admission.forget(client)
    return Done(reset=[rule.name for rule in policies.rules])


def _reset(names: Sequence[str], policies: Policies) -> Done:
    for name in names:
        policies.manager.breaker(name).reset()
    return Done(reset=list(names))


def _of(name: str, policies: Policies) -> PipelineSnapshot:
    try:
        return policies.manager.pipeline(name).snapshot()
    except ConfigurationError as error:
        raise UnknownDependency(error.message) from None


def _dependency(each: PipelineSnapshot) -> Dependency:
    return Dependency(name=each.name, healthy=each.healthy, outcomes=dict(each.outcomes))


def _circuit(each: PipelineSnapshot) -> Circuit:
    if each.breaker is None:
        raise UnknownDependency(f"{each.name} has no circuit breaker")
    return Circuit.model_validate(each.breaker, from_attributes=True)


def _line(each: PipelineSnapshot) -> Line:
    if each.bulkhead is None:
        raise UnknownDependency(f"{each.name} has no limit of calls that run together")
    return Line.model_validate(each.bulkhead, from_attributes=True)


def _plain(config: object) -> object:
    """A configuration as JSON: dataclasses as objects, what is callable by its name."""
    if is_dataclass(config) and not isinstance(config, type):
        return {each.name: _plain(getattr(config, each.name)) for each in fields(config)}
    if isinstance(config, str | int | float | bool | None):
        return config
    if isinstance(config, frozenset):
        return sorted(map(str, cast("frozenset[object]", config)))
    if isinstance(config, tuple | list):
        return [_plain(each) for each in cast("Sequence[object]", config)]
    return getattr(config, "__qualname__", str(config))


router.include_router(looks)
router.include_router(changes)
