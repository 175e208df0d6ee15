"""Signing in and out, one's own account, and the keys of services: the routes of orchestrator-auth."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from orchestrator_app.composition.application import Application
from orchestrator_app.composition.auth import AuthKeeper
from orchestrator_app.composition.database import Databases
from orchestrator_app.composition.factor_trail import AuditedFactors
from orchestrator_app.routers._password_page import PAGE
from orchestrator_app.routers._services import BODY, DOORS, GUARD
from orchestrator_app.routers._webhook import InvalidJson
from orchestrator_auth.exceptions import AuthStoreFailed
from orchestrator_auth.fastapi_routes import auth_router
from orchestrator_auth.service import Auth
from orchestrator_kernel.exceptions import DatabaseError, OrchestratorError
from orchestrator_utils.error_handler import problem_responses

__all__ = ["make_router"]


def make_router(application: Application) -> APIRouter:
    """All routes below `/auth`, and the public keys."""
    registry = application.registry
    trail = AuditedFactors(registry.get(Databases).data)
    mail = registry.get(AuthKeeper).mail
    router = auth_router(registry.get(Auth), mail=mail, trail=trail, documents=_documents)

    @router.get(
        "/auth/password/set",
        response_class=HTMLResponse,
        responses=_documents(public=True, body=False),
    )
    async def page() -> HTMLResponse:
        """The page where a link for a password leads."""
        return HTMLResponse(PAGE)

    return router


def _documents(*kinds: type[OrchestratorError], public: bool, body: bool) -> dict[int | str, dict[str, Any]]:
    doors = (*DOORS, AuthStoreFailed) if public else GUARD
    bodies = (InvalidJson, 400, *BODY) if body else ()
    return problem_responses(*bodies, *doors, *kinds, DatabaseError)
