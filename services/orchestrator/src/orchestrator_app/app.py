"""The ASGI application."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from orchestrator_app.composition.application import Application, compose
from orchestrator_app.composition.audit import AUDITED, Auditing
from orchestrator_app.composition.resilience import Resilience
from orchestrator_app.doors import PUBLIC, SIGNED, Gate, Identification, Scope, header_policies, request_limits
from orchestrator_app.routers import calls, health, media, metrics, relay, resilience, twilio, webhooks
from orchestrator_app.settings import AppSettings
from orchestrator_kernel.ports import Principal
from orchestrator_resilience.rate_limit_middleware import Identity, RateLimitMiddleware
from orchestrator_security.audit_logging import AuditMiddleware
from orchestrator_security.headers_middleware import CorsMiddleware, CorsPolicy, HeadersMiddleware, TrustedHosts
from orchestrator_security.input_validation import InputLimits
from orchestrator_security.pii_redactor import PiiRedactor
from orchestrator_utils.correlation import CorrelationMiddleware
from orchestrator_utils.error_handler import ProblemConfig, install

__all__ = ["create_app"]


def create_app(settings: AppSettings | Application) -> FastAPI:
    """The application for an ASGI server; everything starts with its lifespan and ends with it.

    Raises:
        ConfigurationError: A setting is wrong; says which and what to do.
    """
    application = settings if isinstance(settings, Application) else compose(settings)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[None, None]:
        async with application.lifecycle:
            yield

    app = FastAPI(
        title="Voice-call orchestrator",
        version=application.version,
        lifespan=lifespan,
        description="Takes the events of voice calls, decides what to say, and speaks.",
        swagger_ui_parameters={"persistAuthorization": True},
    )
    app.state.registry = application.registry
    app.state.application = application
    routers = (calls, webhooks, media, twilio, relay, health, metrics, resilience)
    for each in routers:
        app.include_router(each.router)
    _add_doors(app, application)
    return app


def _add_doors(app: FastAPI, application: Application) -> None:
    """What stands in front of the routes; the last one added is the outermost."""
    settings, registry = application.settings, application.registry
    usual, by_path = request_limits(settings.server.max_body)
    app.add_middleware(InputLimits, limits=usual, by_path=by_path, raise_errors=True)
    app.add_middleware(Gate)
    app.add_middleware(
        RateLimitMiddleware,
        admission=registry.get(Resilience).admission,
        identify=_identity,
        trusted_proxies=settings.resilience.trusted_proxies,
        exempt=PUBLIC,
    )
    app.add_middleware(Identification, token=application.secrets.access_token.get_secret_value())
    app.add_middleware(
        CorsMiddleware, policy=CorsPolicy(origins=frozenset(settings.server.cors_origins)), raise_errors=True
    )
    app.add_middleware(TrustedHosts, hosts=settings.server.known_hosts, open_paths=PUBLIC, raise_errors=True)
    install(app, config=ProblemConfig(redactor=registry.get(PiiRedactor)))
    app.add_middleware(AuditMiddleware, log=registry.get(Auditing).log, routes=AUDITED, recorded_by_app=SIGNED)
    tls = settings.server.public_url is not None and settings.server.public_url.scheme == "https"
    app.add_middleware(HeadersMiddleware, by_path=header_policies(app), token_paths={"/v1/call/start"}, tls=tls or None)
    app.add_middleware(CorrelationMiddleware)


def _identity(scope: Scope) -> Identity | None:
    principal: Principal | None = scope.get("principal")
    return None if principal is None else Identity(principal.id)
