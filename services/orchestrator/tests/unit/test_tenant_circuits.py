"""What tenants bring along has a circuit for each of them: as many as are used, and no more than there may be."""

from __future__ import annotations

import httpx
import pytest

from orchestrator_app.composition import resilience
from orchestrator_app.composition.resilience import DEPENDENCIES, OF_TENANTS, RULES, Resilience, TenantPipelines
from orchestrator_calls.http_actions import TENANT
from orchestrator_kernel.exceptions import CircuitBreakerOpenError
from orchestrator_resilience.manager import ResilienceManager
from orchestrator_resilience.rate_limit_rules import RateLimitAdmission

BROKEN = "broken.example"


class Network(httpx.AsyncBaseTransport):
    """Answers everybody but one."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.host)
        if request.url.host == BROKEN:
            raise httpx.ConnectError("refused", request=request)
        return httpx.Response(200, text="fine")


@pytest.fixture
def tenants() -> set[str]:
    return {"harbour", "garden"}


@pytest.fixture
def policies(tenants: set[str]) -> Resilience:
    manager = ResilienceManager(DEPENDENCIES)
    return Resilience(
        manager, RateLimitAdmission(RULES), (), TenantPipelines(manager, DEPENDENCIES, OF_TENANTS, tenants)
    )


async def break_it(client: httpx.AsyncClient, extensions: dict[str, str]) -> None:
    """Ask until the circuit is open."""
    for _ in range(100):
        try:
            await client.get(f"https://{BROKEN}/", extensions=extensions)
        except httpx.ConnectError:
            continue
        except CircuitBreakerOpenError:
            return
    raise AssertionError("the circuit stayed closed")


async def test_a_tenants_broken_endpoint_opens_its_own_circuit_alone(policies: Resilience) -> None:
    network = Network()
    async with httpx.AsyncClient(transport=policies.around_tenants("actions")(network)) as client:
        await break_it(client, {TENANT: "harbour"})
        for _ in range(20):
            answer = await client.get("https://fine.example/", extensions={TENANT: "garden"})
            assert answer.text == "fine"
    states = {name: policies.manager.breaker(name).state for name in policies.manager.names if "actions" in name}
    assert states == {"actions": "closed", "actions:garden": "closed", "actions:harbour": "open"}
    assert not policies.manager.healthy()


async def test_each_tenants_model_has_its_own_circuit(policies: Resilience) -> None:
    clients = {
        tenant: httpx.AsyncClient(transport=policies.around_tenant("chat_service", tenant)(Network()))
        for tenant in ("harbour", "garden")
    }
    await break_it(clients["harbour"], {})
    assert (await clients["garden"].get("https://fine.example/")).text == "fine"
    for client in clients.values():
        await client.aclose()


def test_a_removed_tenants_circuits_go_and_the_others_keep_their_state(policies: Resilience, tenants: set[str]) -> None:
    for tenant in ("harbour", "garden"):
        policies.tenants.of("actions", tenant)
    policies.manager.breaker("actions:garden").force_open()
    tenants.remove("harbour")
    policies.tenants.forget_removed()
    assert [name for name in policies.manager.names if ":" in name] == ["actions:garden"]
    assert policies.manager.breaker("actions:garden").state == "forced_open"
    # Its last calls go by the circuit of all.
    assert policies.tenants.of("actions", "harbour").name == "actions"


def test_there_are_never_more_than_there_may_be(
    policies: Resilience, tenants: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resilience, "MOST_OF_TENANTS", 5)
    tenants |= {f"t{number}" for number in range(20)}
    for number in range(20):
        assert policies.tenants.of("actions", f"t{number}").name == f"actions:t{number}"
        policies.tenants.of("actions", "t0")
    own = [name for name in policies.manager.names if ":" in name]
    assert own == ["actions:t0", "actions:t16", "actions:t17", "actions:t18", "actions:t19"]
    for name in own:
        policies.manager.breaker(name).force_open()
    # A circuit that protects somebody does not go.
    assert policies.tenants.of("actions", "t7").name == "actions"
    assert policies.tenants.of("actions", "t0").name == "actions:t0"
