"""Which addresses a server may ask on a stranger's word."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_kernel.addresses import is_public, read_address, through_proxies


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1", "224.0.0.1", "255.255.255.255",
        "240.0.0.1", "::1", "::", "fe80::1", "fc00::1", "fd12::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::",
        "2002:a00:1::1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1", "::127.0.0.1", "2001:0:a:b:c:d:80ff:fffe", "2001:db8::1",
        "localhost", "", "127.1", "0x7f.1", "2130706433",
    ],
)  # fmt: skip
def test_addresses_that_are_not_everybodys_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["93.184.215.14", "8.8.8.8", "2606:4700::6810:84e5", "64:ff9b::808:808"])
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(address)


@given(st.ip_addresses(v=4))
def test_an_address_in_disguise_is_as_public_as_itself(address: object) -> None:
    packed = int(address)  # type: ignore[call-overload]
    assert is_public(f"::ffff:{address}") is is_public(str(address))
    assert is_public(f"64:ff9b::{packed >> 16:x}:{packed & 0xFFFF:x}") is is_public(str(address))


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("192.0.2.1:4711", "192.0.2.1"),
        ("[2001:db8::5]:443", "2001:db8::5"),
        ("[2001:db8::5]", "2001:db8::5"),
        ("fe80::1%eth0", "fe80::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("unknown", None),
        ("", None),
        ("192.0.2.256", None),
    ],
)
def test_an_address_is_read_without_what_stands_around_it(text: str, address: str | None) -> None:
    found = read_address(text)
    assert (None if found is None else str(found)) == address


@pytest.mark.parametrize(
    ("hops", "client", "certain"),
    [
        ([], "10.0.0.1", True),
        (["192.0.2.1"], "192.0.2.1", True),
        (["spoofed", "192.0.2.1", "10.0.0.2"], "192.0.2.1", True),
        (["10.0.0.9", "10.0.0.2"], "10.0.0.9", True),
        (["192.0.2.1", "unknown"], "10.0.0.1", False),
        (["192.0.2.1", "unknown", "10.0.0.2"], "10.0.0.2", False),
    ],
)
def test_behind_proxies_the_client_is_the_last_hop_that_is_none(hops: list[str], client: str, certain: bool) -> None:
    trusted = [ip_network("10.0.0.0/8")]
    found, sure = through_proxies(ip_address("10.0.0.1"), hops, trusted)
    assert (str(found), sure) == (client, certain)
    stranger = ip_address("198.51.100.7")
    assert through_proxies(stranger, hops, trusted) == (stranger, True)
