"""What a confirmed form does: the tenants' endpoints, and transfers that go through one."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from orchestrator_app.composition.performance import Connect, connect_alone
from orchestrator_app.composition.resilience import Resilience
from orchestrator_app.composition.tenants import per_tenant
from orchestrator_app.settings import ActionSettings, AppSettings, TenantSettings
from orchestrator_calls.actions import ActionOutcome, ActionRequest, Actions, ActionStatus
from orchestrator_calls.events import Event, EventType, text_of
from orchestrator_calls.http_actions import ActionEndpoint, ActionTaken, HttpActions
from orchestrator_calls.notices import EventKept, Notice
from orchestrator_calls.runtime import CallRuntime
from orchestrator_kernel.exceptions import OrchestratorError
from orchestrator_kernel.http import HttpClientConfig
from orchestrator_kernel.ports import Clock, Json
from orchestrator_security.webhook_security import StandardWebhooksSigner, WebhookSecret

__all__ = ["TRANSFER", "TenantActions", "TransferDesk", "endpoints_of", "make_actions"]

logger = logging.getLogger(__name__)

TRANSFER = "transfer"
"""The action's name under which a transfer is carried out by the tenant's endpoint."""


@dataclass(frozen=True, slots=True)
class TenantActions:
    """Carries the actions of all tenants out."""

    actions: Actions
    endpoints: Mapping[str, Mapping[str, ActionEndpoint]]
    _close: Callable[[], Awaitable[None]]

    def of(self, tenant: str) -> Actions | None:
        """The tenant's actions; None where it has none."""
        return self.actions if self.endpoints.get(tenant) else None

    def transfers(self, tenant: str) -> bool:
        """Whether the tenant carries transfers out itself."""
        return TRANSFER in self.endpoints.get(tenant, {})

    async def stop(self) -> None:
        """Close the connections."""
        await self._close()


def make_actions(
    settings: AppSettings,
    resilience: Resilience,
    clock: Clock,
    *,
    observe: Callable[[ActionTaken], None],
    connect: Connect = connect_alone,
) -> TenantActions:
    """The endpoints that are configured.

    Raises:
        ConfigurationError: One cannot be used, or leads to where it may not; the message says why.
    """
    endpoints = per_tenant(settings.tenants, endpoints_of)
    client = connect("actions", HttpClientConfig(), resilience.around_tenants("actions"))
    actions = HttpActions(
        lambda tenant, name: endpoints.get(tenant, {}).get(name), client, clock=clock, observe=observe
    )
    return TenantActions(actions, endpoints, client.aclose)


def endpoints_of(tenant: str, own: TenantSettings) -> Mapping[str, ActionEndpoint]:
    """Where the tenant's actions are carried out, by their names.

    Raises:
        ConfigurationError: One cannot be used, or leads to where it may not; the message says why.
    """
    actions = dict(own.actions)
    if own.transfer_action is not None:
        actions[TRANSFER] = own.transfer_action
    return {name: _endpoint(f"{tenant}-{name}", action) for name, action in actions.items()}


def _endpoint(name: str, action: ActionSettings) -> ActionEndpoint:
    secret = action.secret
    return ActionEndpoint(
        url=action.url,
        sign=StandardWebhooksSigner([WebhookSecret(name[:128], secret)]) if secret is not None else None,
        headers={header: value.get_secret_value() for header, value in action.headers.items()},
        probe_url=action.probe_url,
        limit=action.limit,
        private_hosts=frozenset(action.private_hosts),
    )


class TransferDesk:
    """Has transfers carried out by the tenant's endpoint, and tells the call how they ended.

    A transfer whose outcome was lost with a process is not repeated: the call's own limit for it ends the wait, and the caller is told.
    """

    def __init__(self, actions: TenantActions, clock: Clock) -> None:
        self._actions = actions
        self._clock = clock
        self._runtime: CallRuntime | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def serve(self, runtime: CallRuntime) -> None:
        """Tell outcomes to this runtime."""
        self._runtime = runtime

    def observe(self, notice: Notice) -> None:
        """Begin with the transfers that have an endpoint; everything else is ignored."""
        if not isinstance(notice, EventKept) or notice.event.type is not EventType.TRANSFER_REQUESTED:
            return
        event = notice.event
        if self._actions.transfers(event.tenant):
            task = asyncio.create_task(self._carry_out(event), name=f"transfer {event.call_id}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _carry_out(self, event: Event) -> None:
        key = text_of(event.payload, "key")
        arguments: dict[str, Json] = {
            name: text_of(event.payload, name) for name in ("target", "reason") if text_of(event.payload, name)
        }
        digest = hashlib.sha256(f"{event.tenant}\n{event.call_id}\n{event.id}".encode()).hexdigest()
        request = ActionRequest(
            key=f"act_{digest[:32]}", call_id=event.call_id, tenant=event.tenant, name=TRANSFER, arguments=arguments
        )
        outcome = await self._actions.actions.run(request)
        await self._tell(event, key, outcome)

    async def _tell(self, event: Event, key: str, outcome: ActionOutcome) -> None:
        done = outcome.status is ActionStatus.DONE
        kind = EventType.TRANSFER_COMPLETED if done else EventType.TRANSFER_FAILED
        now = self._clock.now()
        told = Event(
            id=f"{event.call_id}:{kind.value}:{hashlib.sha256(event.id.encode()).hexdigest()[:16]}"[:128],
            call_id=event.call_id,
            tenant=event.tenant,
            type=kind,
            source="actions",
            occurred_at=now,
            received_at=now,
            payload={"key": key, "reason": outcome.reason or outcome.status.value},
        )
        try:
            if self._runtime is not None:
                await self._runtime.submit(told)
        except OrchestratorError:
            logger.exception("the outcome of a transfer could not be told", extra={"call_id": event.call_id})

    async def stop(self) -> None:
        """Wait for the transfers that are under way; each has a limit of its own."""
        await asyncio.gather(*self._tasks)
