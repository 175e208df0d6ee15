"""What the handlers of the console share, and who asks them."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import HTMLResponse

from orchestrator_console._access import Access
from orchestrator_console._board import Board, Sources
from orchestrator_console._hub import Hub
from orchestrator_console._rendering import Renderer
from orchestrator_console.config import ConsoleConfig
from orchestrator_kernel.exceptions import AuthenticationError
from orchestrator_kernel.ports import Clock
from orchestrator_kernel.ports.operations import Alerts, BrowserSignIn, LiveCalls, TrialCalls

__all__ = ["NotSignedIn", "Parts", "base_of"]


class NotSignedIn(AuthenticationError):
    """Nobody we know asks."""

    default_code = "not_signed_in"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The parts of a console."""

    config: ConsoleConfig
    clock: Clock
    sign_in: BrowserSignIn
    calls: LiveCalls | None
    alerts: Alerts | None
    trial_calls: TrialCalls | None
    sources: Sources
    board: Board
    hub: Hub
    renderer: Renderer

    async def access(self, request: Request) -> Access:
        """What the sender of the request may.

        Raises:
            NotSignedIn: Nobody we know.
        """
        viewer = await self.sign_in.viewer(request.scope)
        if viewer is None:
            raise NotSignedIn("Sign in first.")
        return Access(viewer, self.config.permissions)

    def fragment(self, request: Request, access: Access, template: str, values: dict[str, object]) -> str:
        """A piece of a page."""
        return self.renderer.render(template, base_of(request), {"access": access, **values})

    def page(
        self, request: Request, access: Access, template: str, values: dict[str, object], *, status: int = 200
    ) -> HTMLResponse:
        """A whole page for somebody who is signed in."""
        return HTMLResponse(
            self.fragment(request, access, template, {"can_call": self.trial_calls is not None, **values}), status
        )


def base_of(request: Request) -> str:
    """The path under which the console stands, without a slash at its end."""
    return str(request.scope.get("root_path", "")).rstrip("/")
