"""The ASGI application."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from orchestrator_app.composition import console
from orchestrator_app.composition.application import Application, compose
from orchestrator_app.composition.audit import AUDITED, Auditing
from orchestrator_app.composition.auth import AuthKeeper
from orchestrator_app.composition.metrics import Metrics
from orchestrator_app.composition.performance import Performance
from orchestrator_app.composition.resilience import Resilience
from orchestrator_app.composition.tracing import Traces
from orchestrator_app.doors import (
    PUBLIC,
    SIGN_IN,
    SIGNED,
    Refusals,
    Scope,
    denial,
    header_policies,
    public_paths,
    request_limits,
    rules,
    tenant_of,
)
from orchestrator_app.routers import (
    alerts,
    audio,
    auth,
    calls,
    health,
    hotel_events,
    media,
    metrics,
    monitoring,
    observability,
    performance,
    relay,
    resilience,
    security,
    slo,
    twilio,
    twilio_media,
    webhooks,
)
from orchestrator_app.settings import AppSettings
from orchestrator_auth.middleware import AuthMiddleware, IdentityMiddleware, require_rules
from orchestrator_kernel.ports import Principal
from orchestrator_monitoring.http_metrics import HttpMetricsMiddleware
from orchestrator_monitoring.tracing import TracingMiddleware
from orchestrator_resilience.rate_limit_middleware import Identity, RateLimitMiddleware
from orchestrator_security.audit_logging import AuditMiddleware
from orchestrator_security.headers_middleware import (
    ClientAddress,
    CorsMiddleware,
    CorsPolicy,
    HeadersMiddleware,
    TrustedHosts,
)
from orchestrator_security.input_validation import InputLimits
from orchestrator_security.pii_redactor import PiiRedactor
from orchestrator_security.webhook_security import TrustedProxies
from orchestrator_utils.correlation import CorrelationMiddleware, current
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
        # FastAPI's own would tell messages of exceptions as they are.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    app.state.registry = application.registry
    app.state.application = application
    routers = (
        calls,
        webhooks,
        hotel_events,
        media,
        twilio,
        twilio_media,
        relay,
        audio,
        health,
        metrics,
        monitoring,
        observability,
        performance,
        resilience,
        alerts,
        slo,
    )
    for each in routers:
        app.include_router(each.router)
    app.include_router(auth.make_router(application))
    app.router.routes.append(security.ROUTE)
    app.mount(console.PATH, console.open_console(application.registry).app)
    _add_doors(app, application)
    require_rules(app, public=public_paths(application.settings), rules=rules(application.settings))
    return app


def _add_doors(app: FastAPI, application: Application) -> None:
    """What stands in front of the routes; the last one added is the outermost."""
    settings, registry = application.settings, application.registry
    usual, by_path = request_limits(settings.server)
    app.add_middleware(InputLimits, limits=usual, by_path=by_path, raise_errors=True)
    keeper, public = registry.get(AuthKeeper), public_paths(settings)
    app.add_middleware(
        AuthMiddleware,
        authenticator=keeper.auth.authenticator,
        guard=keeper.auth.guard,
        audit=keeper.auth.audit,
        public=public,
        rules=rules(settings),
        raise_errors=True,
    )
    app.add_middleware(console.ConsoleDoor)
    app.add_middleware(
        RateLimitMiddleware,
        admission=registry.get(Resilience).admission,
        identify=_identity,
        exempt=PUBLIC,
    )
    app.add_middleware(IdentityMiddleware, authenticator=keeper.auth.authenticator, public=public)
    app.add_middleware(
        CorsMiddleware, policy=CorsPolicy(origins=frozenset(settings.server.cors_origins)), raise_errors=True
    )
    app.add_middleware(TrustedHosts, hosts=settings.server.known_hosts, open_paths=PUBLIC, raise_errors=True)
    install(app, config=ProblemConfig(redactor=registry.get(PiiRedactor)))
    app.add_middleware(Refusals, audit=keeper.audit)
    app.add_middleware(
        AuditMiddleware,
        log=registry.get(Auditing).log,
        routes=AUDITED,
        recorded_by_app=SIGNED | SIGN_IN | console.FORMS,
        tenant_of=tenant_of,
        details_of=denial,
    )
    tls = settings.server.public_url is not None and settings.server.public_url.scheme == "https"
    app.add_middleware(
        HeadersMiddleware,
        by_path=header_policies(app),
        token_paths={"/v1/call/start"},
        clear_paths={"/auth/logout"},
        tls=tls or None,
    )
    app.add_middleware(
        HttpMetricsMiddleware,
        metrics=registry.get(Metrics).counted,
        endless=console.STREAMS,
        observe=registry.get(Performance).request_timer,
    )
    tracing = registry.get(Traces).tracing
    if tracing is not None:
        # A trace goes on from whoever calls; what they say beside it, their baggage, goes nowhere from here unless a host is named.
        app.add_middleware(TracingMiddleware, provider=tracing.provider, correlation=current, exempt=PUBLIC)
    app.add_middleware(CorrelationMiddleware)
    app.add_middleware(ClientAddress, proxies=TrustedProxies(settings.resilience.trusted_proxies))


def _identity(scope: Scope) -> Identity | None:
    principal: Principal | None = scope.get("principal")
    return None if principal is None else Identity(principal.id, tenant_of(scope))
