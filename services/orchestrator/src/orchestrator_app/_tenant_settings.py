"""One tenant: its numbers, languages, hours, wordings, and what it lets the application do."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, AnyHttpUrl, Field, SecretStr, StringConstraints, field_validator

from orchestrator_app._setting_types import Language, Number, Seconds, ToolName
from orchestrator_config import Settings

__all__ = ["ActionSettings", "ArgumentSettings", "ChatSettings", "OpeningHoursSettings", "TenantSettings"]


class ArgumentSettings(Settings):
    """One argument of an action, as a language model is told of it."""

    kind: Literal["string", "integer", "number", "boolean"] = "string"
    description: str = ""
    options: tuple[str, ...] = ()
    required: bool = True


class ActionSettings(Settings):
    """Where an action is carried out: a webhook signed by Standard Webhooks, or a plain request."""

    url: str = Field(description="https://…; http:// only to a host in private_hosts.")
    secret: SecretStr | None = Field(
        default=None, description="Signs the webhook: base64, with whsec_ in front; without it the request is plain."
    )
    headers: Mapping[str, SecretStr] = Field(
        default_factory=dict[str, SecretStr], description="Sent with every request."
    )
    probe_url: str = Field(
        default="", description="Asked by GET whether an earlier attempt did its work; {key} is replaced."
    )
    limit: Seconds = 8.0
    private_hosts: tuple[str, ...] = Field(
        default=(), description="Hosts that may lead to addresses which are not public."
    )
    description: str = Field(default="", description="What it does, for a language model.")
    arguments: Mapping[ToolName, ArgumentSettings] = Field(
        default_factory=dict[str, ArgumentSettings], description="What a language model may give it."
    )


class ChatSettings(Settings):
    """A language model behind `/v1/chat/completions` that answers in the script's place; times in seconds."""

    url: AnyHttpUrl = Field(description="The server, without /v1/chat/completions.")
    key: SecretStr | None = None
    model: str = Field(min_length=1)
    instructions: str = Field(min_length=1, description="Who it is and what it knows of the house.")
    first_sentence: Seconds = Field(default=2.5, description="Then the script answers.")
    between: Seconds = 2.0
    limit: Seconds = 9.0
    context_budget: int = Field(default=8000, ge=500, le=1_000_000, description="Characters of what was said before.")
    max_tokens: int = Field(default=300, ge=16, le=8192)
    tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    temperature: float | None = Field(default=None, ge=0, le=2)
    usage: bool = Field(
        default=True,
        description="Ask how many tokens an answer took; false for a server that refuses `stream_options`.",
    )


_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Hours = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-4]):[0-5][0-9]$")]


class OpeningHoursSettings(Settings):
    """When somebody is there, by the wall clock of the tenant's time zone."""

    week: Mapping[str, tuple[Hours, ...]] = Field(
        description='By day or days: {"mon-fri" = ["09:00-12:00", "13:00-18:00"], "sat" = ["10:00-24:00"]}.'
    )
    closed_on: tuple[date, ...] = Field(default=(), description="Holidays.")

    @field_validator("week")
    @classmethod
    def _days_once(cls, value: Mapping[str, tuple[str, ...]]) -> Mapping[str, tuple[str, ...]]:
        days = [day for key in value for day in _days(key)]
        twice = sorted({_DAYS[day] for day in days if days.count(day) > 1})
        if twice:
            raise ValueError(f"{', '.join(twice)} stands there twice")
        if any(hours[6:8] == "24" and hours[9:] != "00" for spans in value.values() for hours in spans):
            raise ValueError("a day ends at 24:00")
        return value

    def spans(self) -> Mapping[int, tuple[tuple[time, time], ...]]:
        """From and until by weekday, Monday is 0; 24:00 is 00:00, and until is on the next day where it is not later."""
        return {
            day: tuple((_clock(hours[:5]), _clock(hours[6:])) for hours in spans)
            for key, spans in self.week.items()
            for day in _days(key)
        }


def _days(key: str) -> list[int]:
    first, _, last = key.lower().partition("-")
    try:
        begin, end = _DAYS.index(first), _DAYS.index(last or first)
    except ValueError:
        raise ValueError(f"{key} is no day; days are {', '.join(_DAYS)}, or two of them with - between") from None
    return [day % 7 for day in range(begin, end + (8 if end < begin else 1))]


def _clock(written: str) -> time:
    return time(int(written[:2]) % 24, int(written[3:]))


def _sentences(value: str | tuple[str, ...]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value


# One sentence may be written alone; what is read are always several.
if TYPE_CHECKING:
    Sentences: TypeAlias = tuple[str, ...]
else:
    Sentences = Annotated[str | tuple[str, ...], AfterValidator(_sentences)]


class TenantSettings(Settings):
    """One tenant."""

    name: str = ""
    numbers: tuple[Number, ...] = Field(default=(), description="Its telephone numbers, E.164.")
    languages: tuple[Language, ...] = Field(default=("en-US",), min_length=1, description="The first is spoken first.")
    time_zone: str = Field(
        default="UTC", description='IANA name, for example Europe/Berlin: where "tomorrow" is meant.'
    )
    script: Path | None = Field(
        default=None,
        description="A dialogue script, from the folder of the settings file; the receptionist's when absent.",
    )
    values: Mapping[str, time | str] = Field(
        default_factory=dict[str, time | str], description="Replace entries of the script's [values]."
    )
    voices: Mapping[str, str] = Field(default_factory=dict[str, str], description="The voice by language.")
    line: Literal["relay", "stream"] = Field(
        default="relay",
        description="Over Twilio: the relay hears and speaks, or raw audio comes in and our own recognizer and voice do.",
    )
    commands: tuple[str, ...] = Field(
        default=(), description="What callers may say to the embedded recognizer; hearing.commands when empty."
    )
    transfers: Mapping[str, Number] = Field(
        default_factory=dict[str, str], description="Whom callers may be handed to: the number by name."
    )
    actions: Mapping[ToolName, ActionSettings] = Field(
        default_factory=dict[str, ActionSettings], description="What a confirmed form does, by the action's name."
    )
    transfer_action: ActionSettings | None = Field(
        default=None, description="Carries transfers out, where the telephony provider does not."
    )
    chat: ChatSettings | None = Field(default=None, description="A language model; the script alone when absent.")
    opening_hours: OpeningHoursSettings | None = Field(
        default=None,
        description="Outside of them nobody is transferred, and a message is taken; always open when absent.",
    )
    disclosure: Mapping[str, Sentences] = Field(
        default_factory=dict[str, Sentences],
        description="By language (en, de, …): the sentences that tell callers that no person answers.",
    )
    consent: Mapping[str, Sentences] = Field(
        default_factory=dict[str, Sentences], description="The same for what is recorded and kept."
    )
    pronunciations: Mapping[str, str] = Field(
        default_factory=dict[str, str], description="How names are to be written for a voice."
    )

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("is no time zone that this machine knows; on a bare one, install tzdata") from None
        return value
