"""Getting in and out. Without script; a session's cookie is all that the browser keeps."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from orchestrator_console._parts import Parts, base_of
from orchestrator_console._web import check_csrf, check_origin, fields_of, safe_return
from orchestrator_kernel.exceptions import AuthenticationError, OrchestratorError, RateLimitError
from orchestrator_kernel.ports.operations import SecondFactorNeeded, SignedIn

__all__ = ["SignInPages", "login_url"]


def login_url(request: Request) -> str:
    """Where to sign in, to come back to the page that was asked for."""
    base = base_of(request)
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    back = safe_return(wanted, f"{base}/")
    return f"{base}/login" if back == f"{base}/" else f"{base}/login?{urlencode({'next': back})}"


class SignInPages:
    """The handlers."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def form(self, request: Request) -> Response:
        """The form; those who are in already go on."""
        back = self._back(request, request.query_params.get("next", ""))
        if await self._parts.sign_in.viewer(request.scope) is not None:
            return RedirectResponse(back, 303)
        return self._page(request, back)

    async def password(self, request: Request) -> Response:
        """Name and password."""
        check_origin(request)
        fields = await fields_of(request)
        back, login = self._back(request, fields.get("next", "")), fields.get("login", "")
        address, agent = _sender(request)
        try:
            found = await self._parts.sign_in.password(login, fields.get("password", ""), address=address, agent=agent)
        except (AuthenticationError, RateLimitError) as error:
            return self._page(request, back, login=login, problem=_words(error), status=error.status)
        if isinstance(found, SecondFactorNeeded):
            return self._page(request, back, challenge=found.challenge)
        return _welcome(found, back)

    async def code(self, request: Request) -> Response:
        """The second factor."""
        check_origin(request)
        fields = await fields_of(request)
        back = self._back(request, fields.get("next", ""))
        _, agent = _sender(request)
        code = "".join(fields.get("code", "").split())
        try:
            found = await self._parts.sign_in.second_factor(fields.get("challenge", ""), code, agent=agent)
        except (AuthenticationError, RateLimitError) as error:
            # The challenge may be over: begin again, which works in any case.
            return self._page(request, back, problem=_words(error), status=error.status)
        return _welcome(found, back)

    async def out(self, request: Request) -> Response:
        """End the session."""
        access = await self._parts.access(request)
        check_csrf(request, access.viewer, await fields_of(request))
        forget = await self._parts.sign_in.sign_out(request.scope)
        login = f"{base_of(request)}/login"
        wants_page = "text/html" in request.headers.get("accept", "")
        response = RedirectResponse(login, 303) if wants_page else JSONResponse({"location": login})
        response.headers.append("set-cookie", forget)
        return response

    def _back(self, request: Request, wanted: str) -> str:
        return safe_return(wanted, f"{base_of(request)}/")

    def _page(
        self, request: Request, back: str, *, login: str = "", challenge: str = "", problem: str = "", status: int = 200
    ) -> HTMLResponse:
        values: dict[str, object] = {"back": back, "login": login, "challenge": challenge, "problem": problem}
        return HTMLResponse(self._parts.renderer.render("login.html", base_of(request), values), status)


def _words(error: OrchestratorError) -> str:
    if isinstance(error, RateLimitError):
        after = f" Try again in {error.retry_after:.0f} s." if error.retry_after else " Try again later."
        return "Too many attempts." + after
    return "That did not work. Check name, password and code, and try again."


def _sender(request: Request) -> tuple[str, str]:
    return (request.client.host if request.client else "unknown"), request.headers.get("user-agent", "")


def _welcome(found: SignedIn, back: str) -> Response:
    response = RedirectResponse(back, 303)
    response.headers.append("set-cookie", found.set_cookie)
    return response
