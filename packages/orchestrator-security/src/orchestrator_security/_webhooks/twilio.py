"""Twilio: `X-Twilio-Signature`, HMAC in base64 over the public URL and the sorted form fields, or over the URL with the body's hash.

Source: twilio.com/docs/usage/security#validating-requests. Form bodies are signed as `URL + name + value + …` with names and, within a
name, distinct values in order; other bodies are proved by the query parameter `bodySHA256` of the signed URL. Twilio signs a default
port or leaves it out, so both are tried. No time is signed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from hmac import compare_digest
from typing import Literal
from urllib.parse import unquote_plus

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.ports import Clock, WebhookRefused, WebhookRequest, WebhookSender
from orchestrator_security._webhooks.decoding import ascii_of, found_headers
from orchestrator_security._webhooks.hmac_key import HmacKey
from orchestrator_security._webhooks.limits import DEFAULT_MAX_BODY, refuse_size, valid_max_body
from orchestrator_security._webhooks.secret_ring import HmacRing, WebhookSecret, live_ones
from orchestrator_security._webhooks.urls import port_variants, with_origin

_SIGNATURE = "x-twilio-signature"
_CONTENT_TYPE = "content-type"
_HEADERS = {_SIGNATURE: None, _CONTENT_TYPE: None}
_FORM = "application/x-www-form-urlencoded"
_MOST_FIELDS = 1000
_HASH = "bodySHA256="


class TwilioVerifier:
    """A `WebhookVerifier` for Twilio's voice and messaging requests, with form or JSON bodies."""

    def __init__(
        self,
        secrets: Sequence[WebhookSecret],
        *,
        clock: Clock,
        source: str = "twilio",
        public_url: str | None = None,
        algorithm: Literal["sha1", "sha256"] = "sha1",
        max_body: int = DEFAULT_MAX_BODY,
    ) -> None:
        """Set up the verifier.

        Args:
            secrets: The account's auth token, or the secret of a shared key; more than one while it is being replaced.
            clock: Says what time it is, for the expiry of the secrets.
            source: Names the sender in `WebhookSender.source`.
            public_url: Scheme and host as Twilio knows them (`https://calls.example`), in place of those of the request's URL, where a
                proxy hides them. None: the request's URL is the public one.
            algorithm: `sha256` for shared keys that sign with HMAC_SHA256. Never taken from the request, which could choose the weaker.
            max_body: Bytes.

        Raises:
            ConfigurationError: A secret, the URL or a limit is not usable; the message names it, never its value.
        """
        self.source = source
        self.max_body = valid_max_body(max_body)
        self._ring = HmacRing(secrets, algorithm, sign=HmacKey.base64)
        self._now = clock.now
        if public_url is not None and not public_url.startswith(("https://", "http://")):
            raise ConfigurationError("public_url must begin with https:// or http://")
        self._origin = None if public_url is None else public_url.rstrip("/")

    def verify(self, request: WebhookRequest) -> WebhookSender:
        body = request.body
        if len(body) > self.max_body:
            refuse_size(len(body), self.max_body)
        now, found = self._now(), found_headers(request, _HEADERS)
        given = ascii_of(found, _SIGNATURE)
        url = request.url if self._origin is None else with_origin(request.url, self._origin)
        is_form = found.get(_CONTENT_TYPE, "").partition(";")[0].strip().lower() == _FORM
        if _HASH in url or (body and not is_form):
            _require_hash(url, body)
        rest = _signed_fields(body) if is_form else ""
        signer = live_ones(self._ring.matching([given], _bytes(url + rest)) or self._by_port(given, url, rest), now)[0]
        return WebhookSender(source=self.source, key_id=signer.id)

    def _by_port(self, given: str, url: str, rest: str) -> list[WebhookSecret]:
        return [
            secret
            for variant in port_variants(url)
            if variant != url
            for secret in self._ring.matching([given], _bytes(variant + rest))
        ]


def _bytes(text: str) -> bytes:
    # A URL may hold what UTF-8 cannot carry; no sender signed that.
    return text.encode(errors="replace")


def _signed_fields(body: bytes) -> str:
    """Names and values of a form as Twilio concatenates them."""
    try:
        text = body.decode("ascii")
        pairs = sorted(set(_fields(text)))
    except UnicodeError:
        raise WebhookRefused("the form is not ASCII with percent-encoded UTF-8") from None
    return "".join([name + value for name, value in pairs])


def _fields(text: str) -> Iterable[tuple[str, str]]:
    parts = text.split("&", _MOST_FIELDS)
    if len(parts) > _MOST_FIELDS:
        raise WebhookRefused(f"the form has more than {_MOST_FIELDS} fields")
    for part in parts:
        if part:
            name, _, value = part.partition("=")
            yield _plain(name), _plain(value)


def _plain(text: str) -> str:
    # Most fields need no decoding, and this question costs a twentieth of the answer.
    if "%" in text or "+" in text:
        return unquote_plus(text, errors="strict")
    return text


def _require_hash(url: str, body: bytes) -> None:
    query = url.partition("#")[0].partition("?")[2]
    hashes = [each[len(_HASH) :] for each in query.split("&") if each.startswith(_HASH)]
    if len(hashes) != 1 or not hashes[0].isascii():
        raise WebhookRefused("missing hash: the URL has no bodySHA256, or more than one")
    if not compare_digest(hashlib.sha256(body).hexdigest(), hashes[0]):
        raise WebhookRefused("wrong body: its hash is not the one in the URL")
