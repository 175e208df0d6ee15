"""The gate of an application: pure ASGI, for HTTP and WebSocket.

What the user types:

    app.add_middleware(AuthMiddleware, authenticator=authenticator, guard=guard, audit=auditor, public={"/auth/login", "/healthz"})

Every path needs a credential, except those of `public`, which is an exact list. The principal stands on the scope, as `scope["principal"]`. What a route needs is declared at
the route (`orchestrator_auth.fastapi_guard.requires`) or in `rules`; a route of a FastAPI or Starlette application that declares nothing keeps the application from starting.
Refusals are problem documents (RFC 9457) that say what to do; why, only the audit learns.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Collection, Mapping, MutableMapping
from typing import Any, Final

from orchestrator_auth._http.credentials import Scope, headers_of, path_of
from orchestrator_auth._http.pending import PENDING, Pending
from orchestrator_auth._http.routes import OpenPaths, covering, undeclared_routes
from orchestrator_auth.audit import Auditor
from orchestrator_auth.authenticator import Authenticated, Authenticator
from orchestrator_auth.exceptions import AccessDenied, CredentialRefused, TokenRefused
from orchestrator_auth.guard import Guard, HandlerForgot, Rule, Where
from orchestrator_kernel.exceptions import ConfigurationError, OrchestratorError
from orchestrator_kernel.models import Problem, Severity

__all__ = ["AuthMiddleware", "IdentityMiddleware", "require_rules"]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_POLICY_VIOLATION: Final = 1008
_TRY_AGAIN_LATER: Final = 1013
_OUTCOME: Final = "auth_outcome"
_CHALLENGE: Final = "auth_challenge"


def require_rules(app: object, *, public: Collection[str] = (), rules: Collection[str] = ()) -> None:
    """Return if every route of an application declares what it needs: what `AuthMiddleware` asks when the application starts.

    Raises:
        ConfigurationError: Names those that do not.
    """
    if missing := undeclared_routes(app, public, rules):
        advice = "add requires(…) to them, or name them in public or rules"
        raise ConfigurationError(f"these routes declare no rule; {advice}: {', '.join(missing)}")


class IdentityMiddleware:
    """Finds out who sends a request, and refuses nobody: for what stands before the gate and has to know it, such as limits by client.

    The principal stands on the scope as `scope["principal"]`; `AuthMiddleware` further in goes by what was found here.

    Args:
        app: The application below.
        authenticator: Knows who they are.
        public: As of `AuthMiddleware`; there nobody is asked.
    """

    def __init__(self, app: App, *, authenticator: Authenticator, public: Collection[str] = ()) -> None:
        self._app = app
        self._authenticator = authenticator
        self._open = OpenPaths(public)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in {"http", "websocket"} and scope not in self._open:
            try:
                found = await self._authenticator.authenticate(scope)
            except OrchestratorError as error:
                if not _is_ours(error):
                    raise
                scope[_OUTCOME] = error.with_traceback(None)
            else:
                scope[_OUTCOME] = found
                scope["principal"] = found.principal
        await self._app(scope, receive, send)


class AuthMiddleware:
    """Lets in who is known, and answers everybody else.

    Args:
        app: The application below.
        authenticator: Knows who they are.
        guard: Knows what they may.
        audit: Told of every refusal.
        public: Paths that anybody may ask, compared as they are: no prefixes, no patterns.
        rules: What paths need whose routes cannot say it: a path, or everything below one as `/metrics/*`.
        realm: Named in the challenge of a 401.
        raise_errors: Raise refusals instead of answering them, where a middleware further out answers all errors alike; the challenge then
            stands on the scope as `scope["auth_challenge"]`.

    Raises:
        ConfigurationError: A public path is a pattern; or, at start, a route declares no rule.
    """

    def __init__(
        self,
        app: App,
        *,
        authenticator: Authenticator,
        guard: Guard,
        audit: Auditor,
        public: Collection[str] = (),
        rules: Mapping[str, Rule] | None = None,
        realm: str = "orchestrator",
        raise_errors: bool = False,
    ) -> None:
        self._app = app
        self._authenticator = authenticator
        self._guard = guard
        self._audit = audit
        self._open = OpenPaths(public)
        self._rules = dict(rules or {})
        self._realm = realm
        self._raise = raise_errors
        self._checked = False
        for path in self._open.public:
            if not path.startswith("/") or set(path) & set("*{}?"):
                raise ConfigurationError(f"a public path is a path and no pattern: {path!r}")
        for path, rule in self._rules.items():
            if rule.tenant.where not in {Where.PLATFORM, Where.OWN}:
                raise ConfigurationError(f"a rule here is for the platform or for one's own: {path!r}")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._checked:
            await self._check_routes(scope, receive, send)
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        begun, pending = False, Pending()

        async def watched_send(message: Message) -> None:
            nonlocal begun
            if not begun and pending.permission and _tells_success(message):
                raise HandlerForgot(
                    f"the handler has to ask for {pending.permission} with the tenant before it answers"
                )
            begun = True
            await send(message)

        try:
            if scope not in self._open:
                scope[PENDING] = pending
                await self._let_in(scope, path_of(scope))
            await self._app(scope, receive, watched_send)
        except OrchestratorError as error:
            if begun or not _is_ours(error):
                raise
            if self._raise:
                if error.status == 401:
                    scope[_CHALLENGE] = self._challenge(error, scope)
                raise
            await self._answer(error, scope, receive, send)

    async def _found(self, scope: Scope) -> Authenticated:
        outcome: Authenticated | OrchestratorError | None = scope.pop(_OUTCOME, None)
        if outcome is None:
            return await self._authenticator.authenticate(scope)
        if isinstance(outcome, OrchestratorError):
            raise outcome
        return outcome

    async def _let_in(self, scope: Scope, path: str) -> None:
        try:
            found = await self._found(scope)
        except CredentialRefused as error:
            severity = Severity.LOW if error.reason == "no credential" else Severity.MEDIUM
            await self._audit.refuse("authz.access.denied", error.reason, severity=severity, path=path)
            raise
        scope["principal"] = found.principal
        scope["auth_scheme"] = str(found.scheme)
        scope["auth_guard"] = self._guard
        rule = self._rule(path)
        if rule is not None:
            await self._guard.require_standing(found.principal, rule)
        if rule is not None and rule.permission:
            platform = rule.tenant.where is Where.PLATFORM
            await self._guard.require(found.principal, rule.permission, platform=platform)
        elif rule is None and not hasattr(scope.get("app"), "routes"):
            # No routes that could have declared something: deny by default.
            await self._guard.refused(found.principal, "", "path has no rule", None)
            raise AccessDenied("path has no rule")

    def _rule(self, path: str) -> Rule | None:
        name = covering(path, self._rules)
        return None if name is None else self._rules[name]

    async def _check_routes(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            require_rules(scope.get("app"), public=self._open.public, rules=self._rules)
        except ConfigurationError as error:
            if scope["type"] == "lifespan":
                # A server takes a bare exception here for an application without a lifespan, and serves on.
                await receive()
                await send({"type": "lifespan.startup.failed", "message": error.message})
            raise
        self._checked = True

    async def _answer(self, error: OrchestratorError, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket" and "websocket.http.response" not in (scope.get("extensions") or {}):
            await receive()
            code = _TRY_AGAIN_LATER if error.status >= 429 else _POLICY_VIOLATION
            await send({"type": "websocket.close", "code": code, "reason": error.code})
            return
        prefix = "websocket.http.response" if scope["type"] == "websocket" else "http.response"
        body = json.dumps(_problem(error, path_of(scope)).as_dict()).encode()
        headers = [
            (b"content-type", b"application/problem+json"),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
        ]
        if error.status == 401:
            headers.append((b"www-authenticate", self._challenge(error, scope).encode()))
        if error.retry_after is not None:
            headers.append((b"retry-after", str(max(1, int(error.retry_after + 0.999))).encode()))
        await send({"type": f"{prefix}.start", "status": error.status, "headers": headers})
        await send({"type": f"{prefix}.body", "body": body})

    def _challenge(self, error: OrchestratorError, scope: Scope) -> str:
        """RFC 6750 section 3: the error is named only when a token was brought."""
        bearer = f'Bearer realm="{self._realm}"'
        if isinstance(error, TokenRefused) and any(headers_of(scope, b"authorization")):
            bearer += ', error="invalid_token"'
        return f'{bearer}, ApiKey realm="{self._realm}"'


def _tells_success(message: Message) -> bool:
    """Whether this message begins an answer that gives something."""
    kind = message["type"]
    if kind in {"http.response.start", "websocket.http.response.start"}:
        return bool(message["status"] < 400)
    return bool(kind == "websocket.accept")


def _is_ours(error: OrchestratorError) -> bool:
    """Whether this package raised it: what else goes wrong below is somebody else's to answer."""
    return type(error).__module__.startswith("orchestrator_auth.")


def _problem(error: OrchestratorError, path: str) -> Problem:
    return Problem(
        type="/problems/" + error.code.replace("_", "-"),
        title=error.code.replace("_", " ").capitalize(),
        status=error.status,
        code=error.code,
        detail=error.message,
        instance=path if path.isascii() and path.isprintable() and len(path) <= 1024 else "",
    )
