"""Which tenants are answered by a language model, with their script behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

from orchestrator_app.composition.performance import Connect, connect_alone
from orchestrator_app.composition.resilience import Resilience
from orchestrator_app.composition.tenants import PerTenant, per_tenant
from orchestrator_app.settings import AppSettings, ChatSettings, TenantSettings
from orchestrator_calls.chat_responder import ChatConfig, ChatResponder, ChatTool, ChatTurn, Parameter
from orchestrator_calls.dialogue import ScriptedResponder
from orchestrator_calls.responder import Note, Remember, Responder, TurnContext
from orchestrator_kernel.http import HttpClientConfig
from orchestrator_kernel.ports import Clock

__all__ = ["Responders", "chat_config", "speaks_itself", "with_models"]

OBJECTION: Final = "consent_refused"
"""The script's intent of a caller who does not want to be recorded."""


@dataclass(slots=True)
class Responders:
    """The responder of every tenant, and the connections behind them."""

    by_tenant: Mapping[str, Responder]
    _clients: AsyncExitStack

    async def stop(self) -> None:
        """Close the connections to language models."""
        await self._clients.aclose()


def with_models(
    scripts: PerTenant[ScriptedResponder],
    settings: AppSettings,
    resilience: Resilience,
    clock: Clock,
    *,
    observe: Callable[[ChatTurn], None],
    connect: Connect = connect_alone,
) -> Responders:
    """Put the language model of each tenant that has one before its script.

    Raises:
        ConfigurationError: A tenant's model cannot be used as it is set.
    """
    clients = AsyncExitStack()

    def responder(name: str, tenant: TenantSettings) -> Responder:
        script, chat = scripts.of(name, tenant), tenant.chat
        if chat is None:
            return script
        client = connect(f"chat.{name}", _client(chat), resilience.around_tenant("chat_service", name))
        clients.push_async_callback(client.aclose)
        return ChatResponder(
            chat_config(chat, tenant),
            client,
            fallback=script,
            reserved=lambda context: speaks_itself(script, context),
            clock=clock,
            observe=observe,
        )

    return Responders(per_tenant(settings.tenants, responder), clients)


def speaks_itself(script: ScriptedResponder, context: TurnContext) -> bool:
    """Whether no model may stand before the script: it has a notice to tell, or the caller objects to what is kept."""
    steps = script.steps(context)
    if any(isinstance(step, Note) and step.intent == OBJECTION for step in steps):
        return True
    told = next((step.memory.get("notices") for step in steps if isinstance(step, Remember)), None)
    return (told or []) != (context.memory.get("notices") or [])


def _client(chat: ChatSettings) -> HttpClientConfig:
    headers = {"authorization": f"Bearer {chat.key.get_secret_value()}"} if chat.key is not None else {}
    return HttpClientConfig(base_url=str(chat.url).rstrip("/"), headers=headers)


def chat_config(chat: ChatSettings, tenant: TenantSettings) -> ChatConfig:
    """How the tenant's model is asked: its actions are the model's tools."""
    tools = tuple(
        ChatTool(
            name=name,
            description=action.description or name,
            parameters={
                argument: Parameter(
                    kind=given.kind, description=given.description, options=given.options, required=given.required
                )
                for argument, given in action.arguments.items()
            },
        )
        for name, action in tenant.actions.items()
    )
    return ChatConfig(
        model=chat.model,
        instructions=chat.instructions,
        languages=tenant.languages,
        tools=tools,
        transfer_targets=tuple(tenant.transfers),
        first_sentence=chat.first_sentence,
        between=chat.between,
        limit=chat.limit,
        context_budget=chat.context_budget,
        max_tokens=chat.max_tokens,
        tokens_field=chat.tokens_field,
        temperature=chat.temperature,
        usage=chat.usage,
    )
