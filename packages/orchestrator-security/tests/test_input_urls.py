"""Which URLs may be asked."""

from __future__ import annotations

from contextlib import suppress
from ipaddress import IPv4Address, ip_network

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator_security.input_validation import AddressRefused, UrlPolicy

POLICY = UrlPolicy(schemes=frozenset({"http", "https"}), ports=frozenset({80, 443, 8443}))


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("https://example.org/a?b=c#d", "example.org", 443),
        ("HTTPS://EXAMPLE.org", "example.org", 443),
        ("http://example.org:8443/", "example.org", 8443),
        ("https://8.8.8.8/", "8.8.8.8", 443),
        ("https://[2606:4700::1111]/", "2606:4700::1111", 443),
        ("https://xn--bcher-kva.example/", "xn--bcher-kva.example", 443),
        ("https://1a.example.a1/", "1a.example.a1", 443),
    ],
)
def test_public_ones_may(url: str, host: str, port: int) -> None:
    checked = POLICY.check(url)
    assert (checked.host, checked.port) == (host, port)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/", "file:///etc/passwd", "gopher://example.org", "//example.org", "example.org", "", "https:example.org",
        "https://", "https://:443/", "https://example.org:22/", "https://example.org:/", "https://example.org:99999/",
        "https://user@example.org/", "https://user:pass@example.org/", "https://example.org@127.0.0.1/", "https://@example.org",
        "http://127.0.0.1/", "http://127.1/", "http://2130706433/", "http://0x7f000001/", "http://0x7f.0.0.1/", "http://017700000001/",
        "http://0177.0.0.1/", "http://0/", "http://0.0.0.0/", "http://1.1/", "http://127.0.0.1./", "http://localhost.0x1/",
        "http://10.0.0.1/", "http://172.16.0.1/", "http://192.168.1.1/", "http://169.254.169.254/latest/meta-data/",
        "http://100.64.0.1/", "http://224.0.0.1/", "http://255.255.255.255/", "http://198.18.0.1/", "http://192.0.0.192/",
        "http://[::1]/", "http://[::]/", "http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/", "http://[fe80::1%25eth0]/",
        "http://[fd00:ec2::254]/", "http://[64:ff9b::7f00:1]/", "http://[2002:7f00:1::]/", "http://[::127.0.0.1]/", "http://[ff02::1]/",
        "http://[fec0::1]/", "http://[1::2::3]/", "http://[::1", "https://exa mple.org/", "https://example.org\\@evil.example/",
        "https://example.org/\n", "https://bücher.example/", "https://①②⑦.example/", "https://a..b/", "https://-a.example/",
        "https://" + "a" * 64 + ".example/", "https://example.org/" + "a" * 3000, "https://[v1.a]/", "http://%31%32%37.0.0.1/",
    ],
)  # fmt: skip
def test_everything_else_may_not(url: str) -> None:
    with pytest.raises(AddressRefused):
        POLICY.check(url)


@given(st.integers(0, 2**32 - 1))
@example(int(IPv4Address("169.254.169.254")))
def test_what_is_not_global_is_refused_in_every_ipv6_dress(number: int) -> None:
    address = IPv4Address(number)

    def refused(text: str) -> bool:
        try:
            POLICY.judge_address(text)
        except AddressRefused:
            return True
        return False

    if not address.is_global or address.is_multicast:
        dresses = [
            str(address),
            f"::ffff:{address}",
            f"64:ff9b::{number >> 16:x}:{number & 0xFFFF:x}",
            f"2002:{number >> 16:x}:{number & 0xFFFF:x}::1",
            f"2001:0:{number >> 16:x}:{number & 0xFFFF:x}::",
        ]
        assert all(refused(each) for each in dresses)


@given(st.text(max_size=80) | st.text(alphabet="htps:/.@[]%0127fx#?\\", max_size=40))
def test_whatever_the_text_is_the_error_is_the_one(url: str) -> None:
    with suppress(AddressRefused):
        POLICY.check(url)


def test_named_hosts_only() -> None:
    policy = UrlPolicy(hosts=frozenset({"api.example.org", ".hooks.example"}))
    assert policy.check("https://api.example.org/").host == "api.example.org"
    assert policy.check("https://a.hooks.example/").host == "a.hooks.example"
    for other in (
        "https://example.org/",
        "https://hooks.example/",
        "https://evilhooks.example/",
        "https://api.example.org.evil.example/",
    ):
        with pytest.raises(AddressRefused):
            policy.check(other)


def test_one_address_inside_spoils_a_name() -> None:
    assert POLICY.judge_all(["8.8.8.8", "8.8.4.4", "8.8.8.8"]) == ["8.8.8.8", "8.8.4.4"]
    for addresses in (["8.8.8.8", "127.0.0.1"], []):
        with pytest.raises(AddressRefused):
            POLICY.judge_all(addresses)


def test_a_network_can_be_allowed_by_name() -> None:
    policy = UrlPolicy(schemes=frozenset({"http"}), ports=frozenset({80}), networks=(ip_network("10.1.0.0/16"),))
    assert policy.check("http://10.1.2.3/").host == "10.1.2.3"
    with pytest.raises(AddressRefused):
        policy.check("http://10.2.0.1/")
