"""The ASGI application."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from orchestrator_app.composition.application import Application, compose
from orchestrator_app.doors import BearerGate, BodyLimit, TrustedHosts
from orchestrator_app.routers import calls, health, media, metrics, webhooks
from orchestrator_app.settings import AppSettings
from orchestrator_utils.correlation import CorrelationMiddleware
from orchestrator_utils.error_handler import install

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
    for router in (calls.router, webhooks.router, media.router, health.router, metrics.router):
        app.include_router(router)
    server = application.settings.server
    # The last one added is the outermost.
    app.add_middleware(BodyLimit, limit=server.max_body)
    app.add_middleware(BearerGate, token=application.secrets.access_token.get_secret_value())
    app.add_middleware(TrustedHosts, hosts=server.known_hosts)
    install(app)
    app.add_middleware(CorrelationMiddleware)
    return app
