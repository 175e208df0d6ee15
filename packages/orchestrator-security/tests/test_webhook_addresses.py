"""Client addresses and public URLs: forwarding headers count only where a proxy of ours wrote them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.ports import WebhookRefused
from orchestrator_security.webhook_security import AddressRule, TrustedProxies

PROXIES = TrustedProxies(["10.0.0.0/8", "fd00::/8"])


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("198.51.100.7", ["192.0.2.1"], "198.51.100.7"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["192.0.2.1"], "192.0.2.1"),
        ("10.0.0.1", ["1.1.1.1, 192.0.2.1, 10.0.0.2"], "192.0.2.1"),
        ("10.0.0.1", ["1.1.1.1", "192.0.2.1", "10.0.0.2"], "192.0.2.1"),
        ("10.0.0.1", ["spoofed, 192.0.2.1"], "192.0.2.1"),
        ("10.0.0.1", ["10.0.0.9, 10.0.0.2"], "10.0.0.9"),
        ("::ffff:10.0.0.1", ["192.0.2.1:4711"], "192.0.2.1"),
        ("fd00::1", ["[2001:db8::5]:443"], "2001:db8::5"),
        ("10.0.0.1", ["::ffff:192.0.2.1"], "192.0.2.1"),
    ],
)
def test_the_client_is_the_last_hop_that_no_proxy_of_ours_wrote(peer: str, forwarded: list[str], client: str) -> None:
    headers = [("X-Forwarded-For", value) for value in forwarded]
    assert PROXIES.client(peer, headers) == client
    assert TrustedProxies().client(peer, headers) in {peer, peer.removeprefix("::ffff:")}


@pytest.mark.parametrize("forwarded", ["unknown", "192.0.2.1, unknown", "192.0.2.256", ",".join(["10.0.0.1"] * 33)])
def test_a_hop_that_must_be_believed_and_cannot_be_read_is_refused(forwarded: str) -> None:
    with pytest.raises(WebhookRefused):
        PROXIES.client("10.0.0.1", [("X-Forwarded-For", forwarded)])


def test_a_rule_cannot_be_passed_by_a_header_of_the_clients_own() -> None:
    rule = AddressRule(["192.0.2.0/24"], proxies=PROXIES)
    assert rule.require("192.0.2.9", []) == "192.0.2.9"
    assert rule.require("10.0.0.1", [("x-forwarded-for", "192.0.2.9")]) == "192.0.2.9"
    for peer, forwarded in (("203.0.113.5", "192.0.2.9"), ("10.0.0.1", "192.0.2.9, 203.0.113.5"), ("10.0.0.1", "")):
        with pytest.raises(WebhookRefused) as caught:
            rule.require(peer, [("X-Forwarded-For", forwarded)])
        assert caught.value.status == 401


@given(st.text(), st.text())
def test_whatever_the_header_holds_there_is_one_error(peer: str, value: str) -> None:
    for each in (peer, "10.0.0.1"):
        try:
            PROXIES.client(each, [("X-Forwarded-For", value)])
            PROXIES.url(each, [("X-Forwarded-Host", value)], "http://inner/path")
        except WebhookRefused:
            continue


def test_the_public_url_behind_our_proxy() -> None:
    inner = "http://10.0.0.7:8080/voice?x=1"
    headers = [("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "calls.example")]
    assert PROXIES.url("10.0.0.1", headers, inner) == "https://calls.example/voice?x=1"
    assert PROXIES.url("10.0.0.1", headers[:1], inner) == "https://10.0.0.7:8080/voice?x=1"
    assert PROXIES.url("10.0.0.1", headers[1:], inner) == "http://calls.example/voice?x=1"
    assert PROXIES.url("10.0.0.1", [], inner) == inner
    assert PROXIES.url("203.0.113.5", headers, inner) == inner
    for bad in (
        [("X-Forwarded-Host", "a, b")],
        [*headers, headers[1]],
        [("X-Forwarded-Proto", "ftp")],
        [("X-Forwarded-Host", "a/b")],
    ):
        with pytest.raises(WebhookRefused):
            PROXIES.url("10.0.0.1", bad, inner)


def test_unusable_networks_are_refused() -> None:
    for networks in (["10.0.0.0/33"], ["10.0.0.1/8"], ["example.org"]):
        with pytest.raises(ConfigurationError, match="network"):
            TrustedProxies(networks)
    with pytest.raises(ConfigurationError, match="at least one"):
        AddressRule([])
