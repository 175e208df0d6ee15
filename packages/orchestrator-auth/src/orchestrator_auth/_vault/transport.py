"""Requests to Vault's HTTP API: one place for the headers, the limits and the errors."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import quote

from orchestrator_auth._vault.errors import VaultMisconfigured, VaultUnavailable, failure

if TYPE_CHECKING:
    import httpx

_NAME: Final = re.compile(r"[^\x00-\x1f\x7f/?#%\\]{1,255}\Z")
_MAX_PATH: Final = 1024

Answer = dict[str, Any]


def path_of(*parts: str) -> str:
    """A path of the API: every part encoded, none that could lead elsewhere.

    Raises:
        VaultMisconfigured: A part is empty, `.` or `..`, or holds what no name does.
    """
    segments = [segment for part in parts for segment in part.strip("/").split("/")]
    for segment in segments:
        if segment in {".", ".."} or not _NAME.match(segment):
            raise VaultMisconfigured("a path of Vault has an empty or forbidden part")
    path = "/".join(quote(segment, safe="") for segment in segments)
    if len(path) > _MAX_PATH:
        raise VaultMisconfigured("a path of Vault is too long")
    return path


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultConfig:
    """How to talk to Vault. Times in seconds.

    Attributes:
        namespace: Sent with every request; empty for the root.
        timeout: For one request in all.
        max_bytes: The largest answer that is read.
    """

    namespace: str = ""
    timeout: float = 10.0
    max_bytes: int = 4_194_304


class VaultTransport:
    """Sends one request at a time and reads the answer; knows no token of its own."""

    def __init__(self, client: httpx.AsyncClient, config: VaultConfig) -> None:
        self._client = client
        self._config = config

    async def send(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None = None,
        *,
        token: str = "",
        wrap_ttl: int | None = None,
        accept: frozenset[int] = frozenset(),
    ) -> Answer:
        """The JSON of the answer; empty for 204.

        Args:
            method: GET, POST, PATCH, DELETE, or Vault's LIST.
            path: Below `/v1/`, made by `path_of`.
            body: Sent as JSON.
            token: Of whom asks.
            wrap_ttl: Seconds for which the answer is kept wrapped, to be fetched once.
            accept: Statuses besides 2xx that are answers and no errors.

        Raises:
            VaultFailed: Of the kind that fits.
        """
        from orchestrator_kernel.http import deadline, http_errors, read_limited  # noqa: PLC0415 - only with the extra

        headers = {"X-Vault-Request": "true"}
        if token:
            headers["X-Vault-Token"] = token
        if self._config.namespace:
            headers["X-Vault-Namespace"] = self._config.namespace
        if wrap_ttl is not None:
            headers["X-Vault-Wrap-TTL"] = f"{wrap_ttl}s"
        async with deadline(self._config.timeout, "vault", kind=VaultUnavailable):
            with http_errors("vault", kind=VaultUnavailable):
                request = self._client.build_request(method, f"/v1/{path}", json=body, headers=headers)
                response = await self._client.send(request, stream=True, follow_redirects=False)
                try:
                    data = await read_limited(response, self._config.max_bytes, "vault", kind=VaultUnavailable)
                finally:
                    await response.aclose()
        answer = _json(data)
        status = response.status_code
        if not 200 <= status < 300 and status not in accept:
            after = response.headers.get("retry-after", "")
            raise failure(status, _errors(answer), method, path, float(after) if after.isdecimal() else None)
        return answer


def _json(data: bytes) -> Answer:
    if not data:
        return {}
    try:
        value: object = json.loads(data)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise VaultUnavailable("Vault's answer is no JSON object; something else may stand at its address")
    return cast("Answer", value)


def _errors(answer: Answer) -> list[str]:
    errors: object = answer.get("errors")
    return [str(each) for each in cast("list[object]", errors)] if isinstance(errors, list) else []


def data_of(answer: Mapping[str, object]) -> Answer:
    """The member `data` of an answer.

    Raises:
        VaultUnavailable: It has none.
    """
    data: object = answer.get("data")
    if not isinstance(data, dict):
        raise VaultUnavailable("Vault's answer has no data")
    return cast("Answer", data)
