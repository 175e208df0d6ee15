"""Rules and the middleware, as a client of the service sees them."""

from __future__ import annotations

import json

import pytest

from orchestrator_kernel.contracts import AdmissionContract
from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.ports import Admission, AdmissionDecision, AdmissionRequest
from orchestrator_resilience.rate_limit_middleware import Identity, RateLimitMiddleware, RouteTemplates
from orchestrator_resilience.rate_limit_rules import RateLimitAdmission, RateLimitRule

DEFAULT = RateLimitRule("default", limits="3/minute")


@pytest.mark.parametrize(
    "strategy", ["gcra", "token-bucket", "fixed-window", "sliding-window", "sliding-window-counter"]
)
class TestAdmission(AdmissionContract):
    @pytest.fixture(autouse=True)
    def _strategy(self, strategy):
        self.strategy = strategy

    def make(self) -> Admission:
        return RateLimitAdmission([RateLimitRule("default", limits="5/day", strategy=self.strategy)])


def ask(route="/v1/calls/{id}", client="c", method="POST", tenant=None) -> AdmissionRequest:
    return AdmissionRequest(route=route, client=client, method=method, tenant=tenant)


async def test_the_most_specific_rule_holds_whatever_their_order(clock):
    rules = [
        DEFAULT,
        RateLimitRule("calls", limits="30/minute", route="/v1/*"),
        RateLimitRule("one-call", limits="20/minute", route="/v1/calls/{id}"),
        RateLimitRule("posting", limits="10/minute", route="/v1/calls/{id}", method="POST"),
        RateLimitRule("strangers", limits="1/minute", client_class="anonymous"),
    ]

    def classify(request: AdmissionRequest) -> str:
        return "anonymous" if request.client.startswith("ip:") else "authenticated"

    for order in (rules, rules[::-1]):
        admission = RateLimitAdmission(order, classify=classify, clock=clock)
        asked = {
            "posting": ask(),
            "one-call": ask(method="GET"),
            "calls": ask(route="/v1/calls"),
            "default": ask(route="/auth/login"),
            "strangers": ask(client="ip:192.0.2.1"),
        }
        assert [(await admission.admit(request)).policy for request in asked.values()] == list(asked)


async def test_a_tenant_or_everybody_can_share_a_limit(clock):
    rules = [
        RateLimitRule("default", limits="2/minute", scope="global"),
        RateLimitRule("tenants", limits="2/minute", route="/t", scope="tenant"),
    ]
    admission = RateLimitAdmission(rules, clock=clock)
    everybody = [(await admission.admit(ask(client=client))).allowed for client in "abc"]
    tenant = [(await admission.admit(ask("/t", client=client, tenant="hotel"))).allowed for client in "abc"]
    alone = [(await admission.admit(ask("/t", client=client))).allowed for client in "abc"]
    assert (everybody, tenant, alone) == ([True, True, False], [True, True, False], [True] * 3)
    assert [(each.policy, each.remaining, each.window) for each in await admission.usage("hotel")] == [
        ("tenants", 0, 60)
    ]
    await admission.forget("hotel")
    assert await admission.usage("hotel") == []
    assert (await admission.admit(ask("/t", client="c", tenant="hotel"))).allowed


@pytest.mark.parametrize(
    "rules",
    [
        [],
        [RateLimitRule("calls", limits="1/second", route="/v1")],
        [DEFAULT, RateLimitRule("default", limits="1/second", route="/v1")],
        [DEFAULT, RateLimitRule("other", limits="1/second")],
        [RateLimitRule("default", limits="many")],
    ],
)
def test_rules_that_leave_gaps_or_contradict_are_refused(rules):
    with pytest.raises(ConfigurationError):
        RateLimitAdmission(rules)


@pytest.mark.parametrize(
    "wrong", [{"route": "v1"}, {"route": "/v1/*/x"}, {"method": "post"}, {"scope": "ip"}, {"name": 'a"b'}]
)
def test_a_rule_says_what_is_wrong_with_it(wrong):
    with pytest.raises(ConfigurationError) as refusal:
        RateLimitRule(**({"name": "r", "limits": "1/second"} | wrong))
    assert refusal.value.details["setting"] in wrong


async def application(scope, receive, send):
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-app", b"1")]})
    await send({"type": "http.response.body", "body": b"fine"})


class Client:
    """Speaks ASGI to the middleware."""

    def __init__(self, admission: Admission, **settings) -> None:
        self._app = RateLimitMiddleware(application, admission, **settings)

    async def get(self, path="/", *, peer="192.0.2.1", kind="http", **headers: str):
        sent = []

        async def send(message):
            sent.append(message)

        async def receive():
            return {"type": "websocket.connect"}

        scope = {
            "type": kind,
            "method": "GET",
            "path": path,
            "client": (peer, 5000) if peer else None,
            "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
        }
        await self._app(scope, receive, send)
        return sent

    async def status(self, *args, **settings) -> int:
        return (await self.get(*args, **settings))[0]["status"]


def client(clock, **settings) -> Client:
    return Client(RateLimitAdmission([DEFAULT], clock=clock), **settings)


async def test_answers_carry_the_standard_headers(clock):
    headers = dict((await client(clock).get())[0]["headers"])
    assert headers == {
        b"x-app": b"1",
        b"ratelimit-policy": b'"default";q=3;w=60',
        b"ratelimit": b'"default";r=2;t=20',
    }


async def test_a_refusal_is_a_429_with_a_problem_and_the_application_is_not_called(clock):
    caller = client(clock)
    assert [await caller.status() for _ in range(3)] == [200] * 3
    start, body = await caller.get()
    headers = dict(start["headers"])
    assert (start["status"], headers[b"retry-after"], headers[b"content-type"]) == (
        429,
        b"20",
        b"application/problem+json",
    )
    assert b"x-app" not in headers
    problem = json.loads(body["body"])
    assert (problem["status"], problem["code"], problem["retry_after"]) == (429, "rate_limited", 20)
    clock.time += 20
    assert await caller.status() == 200


async def test_no_header_lifts_a_limit(clock):
    caller = client(clock)
    statuses = [
        await caller.status(
            x_internal_service="yes", x_forwarded_for=f"198.51.100.{number}", x_real_ip=f"198.51.100.{number}"
        )
        for number in range(6)
    ]
    assert statuses == [200] * 3 + [429] * 3


async def test_many_paths_are_one_budget(clock):
    caller = client(clock)
    assert [await caller.status(f"/anything/{number}") for number in range(5)] == [200] * 3 + [429] * 2
    ids = Client(
        RateLimitAdmission([DEFAULT, RateLimitRule("calls", limits="2/minute", route="/calls/{id}")], clock=clock)
    )
    assert [await ids.status(f"/calls/{number}") for number in range(3)] == [200, 200, 429]


async def test_behind_a_trusted_proxy_clients_are_told_apart_and_cannot_invent_themselves(clock):
    caller = client(clock, trusted_proxies=["10.0.0.0/8"])
    first = [await caller.status(peer="10.1.1.1", x_forwarded_for="198.51.100.1, 10.2.2.2") for _ in range(4)]
    assert first == [200] * 3 + [429]
    assert await caller.status(peer="10.1.1.1", x_forwarded_for="198.51.100.2") == 200
    assert await caller.status(peer="10.1.1.1", x_forwarded_for="203.0.113.9, 198.51.100.1") == 429
    assert await caller.status(peer="10.1.1.1", x_forwarded_for="nonsense, 198.51.100.1") == 429


async def test_ipv6_counts_by_network_and_mapped_addresses_by_their_ipv4(clock):
    caller = client(clock)
    assert [await caller.status(peer=f"2001:db8::{number}") for number in range(1, 5)] == [200] * 3 + [429]
    mapped = [
        await caller.status(peer=peer) for peer in ("192.0.2.7", "::ffff:192.0.2.7", "192.0.2.7", "::ffff:192.0.2.7")
    ]
    assert mapped == [200] * 3 + [429]


async def test_the_verified_are_known_by_name_and_unknown_peers_share(clock):
    caller = client(clock, identify=lambda scope: Identity(dict(scope["headers"]).get(b"x-test-user", b"").decode()))
    assert [await caller.status(peer=f"192.0.2.{number}", x_test_user="ada") for number in range(4)] == [200] * 3 + [
        429
    ]
    nobody = client(clock)
    assert [await nobody.status(peer=None) for _ in range(4)] == [200] * 3 + [429]


async def test_websockets_are_limited_and_exempt_paths_are_not(clock):
    caller = client(clock, exempt=["/healthz"])
    kinds = [(await caller.get(kind="websocket"))[0]["type"] for _ in range(4)]
    assert kinds == ["websocket.accept"] * 3 + ["websocket.close"]
    assert [await caller.status("/healthz") for _ in range(9)] == [200] * 9


async def test_any_admission_of_the_kernels_will_do():
    class Never:
        async def admit(self, request: AdmissionRequest) -> AdmissionDecision:
            return AdmissionDecision(allowed=False, limit=1, remaining=0, reset_after=1, retry_after=float("inf"))

    start, body = await Client(Never()).get()
    assert b"retry-after" not in dict(start["headers"])
    assert "retry_after" not in json.loads(body["body"])


def test_a_proxy_that_is_no_address_is_refused():
    with pytest.raises(ConfigurationError, match="trusted_proxies"):
        Client(RateLimitAdmission([DEFAULT]), trusted_proxies=["loadbalancer"])


def test_templates_prefer_the_literal():
    find = RouteTemplates(["/calls/{id}", "/calls/active", "/calls/*", "/*"])
    paths = ["/calls/active", "/calls/7", "/calls/7/events", "/other", "/calls/"]
    assert [find(path) for path in paths] == ["/calls/active", "/calls/{id}", "/calls/*", "/*", "/calls/*"]
    assert RouteTemplates([])("/x") == "*"
