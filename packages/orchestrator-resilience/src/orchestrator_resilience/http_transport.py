"""A pipeline under an httpx client (extra `[http]`).

What the user types:

    client = httpx.AsyncClient(transport=PipelineTransport(httpx.AsyncHTTPTransport(), pipeline))

Answers that a retry can mend, such as 503 and 429, count as failures for the circuit and are asked for again under the pipeline's rules; the
last one reaches the caller as an ordinary response. Methods that HTTP calls idempotent (RFC 9110, section 9.2.2), and requests with an
`Idempotency-Key`, may be sent again after they may have been received; others not. The time that is left travels in a header.
"""

from __future__ import annotations

import httpx

from orchestrator_resilience._priorities import Priority
from orchestrator_resilience.config import RETRYABLE_STATUSES
from orchestrator_resilience.deadlines import DEADLINE_HEADER, deadline_header
from orchestrator_resilience.manager import Pipeline

__all__ = ["PipelineTransport"]

_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})


class _FailedResponse(Exception):
    """An answer that is a failure for the policies; the rules read its status and headers from `response`."""

    def __init__(self, response: httpx.Response) -> None:
        super().__init__(response.status_code)
        self.response = response


async def _close(responses: list[httpx.Response]) -> None:
    while responses:
        await responses.pop().aclose()


class PipelineTransport(httpx.AsyncBaseTransport):
    """Sends every request of a client through a pipeline.

    Args:
        inner: The transport that sends.
        pipeline: The policies of the service that the client talks to.
        priority: How important the client's requests are.
    """

    def __init__(
        self, inner: httpx.AsyncBaseTransport, pipeline: Pipeline, *, priority: Priority = Priority.DEFAULT
    ) -> None:
        self._inner = inner
        self._pipeline = pipeline
        self._priority = priority

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request.

        Raises:
            OrchestratorError: A policy refused it, or its time was over.
            httpx.HTTPError: As the inner transport raises it.
        """
        # A body that is produced while it is sent cannot be sent twice.
        replayable = isinstance(request.stream, httpx.ByteStream)
        idempotent = replayable and (request.method in _IDEMPOTENT or "idempotency-key" in request.headers)
        failed: list[httpx.Response] = []

        async def send() -> httpx.Response:
            # A failed answer that is still open holds its connection, which this attempt may need.
            await _close(failed)
            request.headers.pop(DEADLINE_HEADER, None)
            request.headers.update(deadline_header())
            response = await self._inner.handle_async_request(request)
            if response.status_code in RETRYABLE_STATUSES:
                failed.append(response)
                raise _FailedResponse(response)
            return response

        try:
            return await self._pipeline.call_as(send, priority=self._priority, idempotent=idempotent)
        except _FailedResponse as last:
            # Of hedged requests that all failed, the first may be closed already.
            answer = last.response if last.response in failed else failed[-1]
            failed.remove(answer)
            return answer
        finally:
            await _close(failed)

    async def aclose(self) -> None:
        """Close the inner transport."""
        await self._inner.aclose()
