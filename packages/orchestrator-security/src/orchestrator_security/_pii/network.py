"""Addresses: e-mail, IP, and the credentials in URLs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_address

from orchestrator_security._pii.kinds import Kind, Span

_LOCAL_BACKWARDS = re.compile(r"[\w.%+'&!#*~^-]{1,64}+")
_DOMAIN = re.compile(r"[\w.-]{1,254}+")
_IN_BRACKETS = re.compile(r"\[(?:IPv6:)?[0-9A-Fa-f.:]{2,45}\]")
_CREDENTIALS = re.compile(r"://([^\s/@:\"'<>]{0,128}:[^\s/@\"'<>]{1,256})@")
_IPV4 = re.compile(r"(?<![0-9.])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![0-9]|\.[0-9])")
_IPV6 = re.compile(r"[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?:\.[0-9]{1,3}){0,3}")
_COLONS_OF_A_FULL_ADDRESS = 6  # with an IPv4 address at its end, else 7
_PRODUCT = re.compile(
    r"(?:[A-Za-z][\w+-]{0,40}[/-]|\bv|\bversion[ =:]{1,2}|\bVersion[ =:]{1,2}|\brev(?:ision)?[ =:]{1,2})\Z"
)


def emails(text: str, start: int, end: int) -> Iterator[Span]:
    """E-mail addresses in one word, each found from its `@` outwards."""
    # An apostrophe ends a word and may stand in an address, so the way back is not bound to the word.
    low = 0
    at = text.find("@", start, end)
    while at >= 0:
        local = _LOCAL_BACKWARDS.match(text[max(low, at - 64) : at][::-1])
        if local is not None:
            domain_end = _domain_end(text, at + 1, end)
            if domain_end:
                begin = at - len(local.group())
                while text[begin] in ".'" and begin < at - 1:
                    begin += 1
                yield Span(begin, domain_end, Kind.EMAIL)
                low = domain_end
        at = text.find("@", max(at + 1, low), end)


def _domain_end(text: str, start: int, end: int) -> int:
    """Where a domain that begins at `start` ends; 0 if there is none."""
    literal = _IN_BRACKETS.match(text, start, end)
    if literal is not None:
        return literal.end()
    match = _DOMAIN.match(text, start, end)
    domain = "" if match is None else match.group().rstrip(".-_")
    host, point, top = domain.rpartition(".")
    if not point or not host or len(top) < 2 or not (top.isalpha() or top.startswith("xn--")):
        return 0
    return start + len(domain)


def credentials(text: str) -> Iterator[Span]:
    """`user:password` in URLs."""
    for match in _CREDENTIALS.finditer(text):
        yield Span(match.start(1), match.end(1), Kind.CREDENTIALS)


def addresses(text: str, start: int, end: int) -> Iterator[Span]:
    """IP addresses in one word."""
    if text.count(".", start, end) >= 3:
        for match in _IPV4.finditer(text, start, end):
            octets = match.group().split(".")
            # `Chrome/120.0.0.0` is a version.
            if all(int(octet) < 256 for octet in octets) and not _PRODUCT.search(
                text[max(0, match.start() - 48) : match.start()]
            ):
                yield Span(match.start(), match.end(), Kind.IP)
    if text.count(":", start, end) >= 2:
        groups = _IPV6.search(text, start, end)
        if groups is not None and not _glued(text, groups) and _is_ip(groups.group()):
            yield Span(groups.start(), groups.end(), Kind.IP)


def _glued(text: str, match: re.Match[str]) -> bool:
    """Part of something longer, such as `std::a::b`."""
    outside = text[match.start() - 1 : match.start()], text[match.end() : match.end() + 1]
    return any(each and (each.isalnum() or each in "_:") for each in outside)


def _is_ip(text: str) -> bool:
    # Of the many words with colons nearly all are times of day.
    if "::" not in text and text.count(":") < _COLONS_OF_A_FULL_ADDRESS:
        return False
    try:
        address = ip_address(text)
    except ValueError:
        return False
    # `::` and `::1` say nothing about anybody, and stand in every configuration.
    return not (address.is_unspecified or address.is_loopback)
