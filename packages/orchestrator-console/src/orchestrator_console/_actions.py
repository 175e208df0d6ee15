"""What people do about alerts."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from orchestrator_console._access import Access
from orchestrator_console._parts import Parts, base_of
from orchestrator_console._web import check_csrf, fields_of
from orchestrator_kernel.exceptions import AuthorizationError, ValidationError
from orchestrator_kernel.ports.operations import Alerts, UnknownAlert

__all__ = ["AlertActions"]

_MOST_MINUTES: Final = 7 * 24 * 60
_MOST_REASON: Final = 500


class AlertActions:
    """The handlers."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def acknowledge(self, request: Request) -> Response:
        """Somebody takes care of it."""
        access, alerts, fields = await self._admit(request)
        await alerts.acknowledge(_alert_of(fields), by=access.viewer.principal.id)
        return self._done(request, "Acknowledged.")

    async def silence(self, request: Request) -> Response:
        """Nobody is to be told for a while."""
        access, alerts, fields = await self._admit(request)
        minutes = fields.get("minutes", "")
        if not (minutes.isascii() and minutes.isdigit() and len(minutes) < 7 and 0 < int(minutes) <= _MOST_MINUTES):
            raise ValidationError(f"A silence lasts from 1 to {_MOST_MINUTES} minutes.", details={"field": "minutes"})
        reason = " ".join(fields.get("reason", "").split())
        if not 0 < len(reason) <= _MOST_REASON:
            raise ValidationError("Say why, in up to 500 letters.", details={"field": "reason"})
        await alerts.silence(_alert_of(fields), by=access.viewer.principal.id, seconds=int(minutes) * 60, reason=reason)
        return self._done(request, f"Silenced for {minutes} min.")

    async def _admit(self, request: Request) -> tuple[Access, Alerts, dict[str, str]]:
        access = await self._parts.access(request)
        fields = await fields_of(request)
        check_csrf(request, access.viewer, fields)
        alerts, permissions = self._parts.alerts, self._parts.config.permissions
        if alerts is None or not access.may_on_platform(permissions.answer_alerts):
            raise AuthorizationError("You may not answer alerts.")
        return access, alerts, fields

    def _done(self, request: Request, message: str) -> Response:
        if self._parts.sources.alerts is not None:
            self._parts.sources.alerts.forget()
        self._parts.hub.tell_all()
        if "text/html" in request.headers.get("accept", ""):
            return RedirectResponse(f"{base_of(request)}/#alerts", 303)
        return JSONResponse({"message": message})


def _alert_of(fields: dict[str, str]) -> str:
    alert = fields.get("alert", "")
    if not alert:
        raise UnknownAlert("Say which alert.")
    return alert
