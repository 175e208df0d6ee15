"""Slack's incoming webhooks: one message per notice, as blocks with a plain text for notifications.

An unfinished message proves the webhook without posting: Slack answers `no_text` (400) where it would take one, and 403, 404 or 410 where it would not.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from orchestrator_kernel.models import Severity
from orchestrator_monitoring._alerting.groups import Notice
from orchestrator_monitoring._alerting.states import AlertRecord
from orchestrator_monitoring._receivers.http import Answer, post, refuse
from orchestrator_monitoring._receivers.texts import SHOWN, alert_line, severity, shortened, title

if TYPE_CHECKING:
    import httpx

__all__ = ["SlackReceiver"]

_COLOURS: Final = {
    Severity.LOW: "#4a90d9",
    Severity.MEDIUM: "#e0a800",
    Severity.HIGH: "#e8590c",
    Severity.CRITICAL: "#c92a2a",
}
_OVER: Final = "#2b8a3e"
_HEADERS: Final = {"content-type": "application/json; charset=utf-8"}
_USUAL_ERRORS: Final = frozenset(
    {
        "action_prohibited",
        "channel_is_archived",
        "channel_not_found",
        "invalid_blocks",
        "invalid_payload",
        "invalid_token",
        "no_service",
        "no_team",
        "no_text",
        "rollup_error",
        "team_disabled",
        "user_not_found",
    }
)


class SlackReceiver:
    """Posts to a channel."""

    kind = "slack"
    heartbeats = False

    def __init__(self, name: str, url: str, http: httpx.AsyncClient, *, channel: str = "") -> None:
        """Set up.

        Args:
            name: As routes name it.
            url: The webhook's; a secret.
            http: Used for each message; the caller closes it.
            channel: Asked for by older webhooks that may post to several.
        """
        self.name = name
        self._url = url
        self._http = http
        self._channel = channel

    async def send(self, notice: Notice) -> None:
        answer = await self._post(_message(notice, self._channel))
        if answer[0] != 200:
            raise refuse(self.name, answer, _reason(answer))

    async def check(self) -> None:
        answer = await self._post({})
        if answer[0] != 400 or _reason(answer) not in {"no_text", "invalid_payload"}:
            raise refuse(self.name, answer, _reason(answer))

    async def _post(self, message: dict[str, object]) -> Answer:
        return await post(self._http, self.name, self._url, json.dumps(message).encode(), _HEADERS)


def _reason(answer: Answer) -> str:
    """Slack's word for what is wrong, if it is one that is known: a body could hold anything."""
    word = answer[1].decode(errors="replace").strip()
    return word if word in _USUAL_ERRORS else ""


def _message(notice: Notice, channel: str) -> dict[str, object]:
    sections = [*_sections("Firing", notice.firing), *_sections("Resolved", notice.resolved)]
    # 50 blocks, 3,000 characters a text: Slack refuses more.
    colour = _COLOURS[severity(notice)] if notice.firing else _OVER
    message: dict[str, object] = {
        "text": _escaped(title(notice)),
        "blocks": [{"type": "header", "text": {"type": "plain_text", "text": shortened(title(notice), 150)}}],
    }
    if sections:
        message["attachments"] = [{"color": colour, "blocks": sections}]
    if channel:
        message["channel"] = channel
    return message


def _sections(heading: str, alerts: tuple[AlertRecord, ...]) -> list[dict[str, object]]:
    texts = [_section(each) for each in alerts[:SHOWN]]
    if len(alerts) > SHOWN:
        texts.append(f"_and {len(alerts) - SHOWN} more_")
    return [
        {"type": "section", "text": {"type": "mrkdwn", "text": f"*{heading}*\n{text}" if index == 0 else text}}
        for index, text in enumerate(texts)
    ]


def _section(record: AlertRecord) -> str:
    lines = [f"*{record.condition.severity.value}* {alert_line(record)}", record.condition.description]
    text = _escaped_within("\n".join(line for line in lines if line), 2700)
    link = record.condition.runbook
    return (
        f"{text}\n<{_escaped(link)}|Runbook>"
        if link and "|" not in link and ">" not in link and len(link) < 150
        else text
    )


def _escaped(text: str) -> str:
    """Slack's three control characters."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _escaped_within(text: str, most: int) -> str:
    """Escaped, and cut before that, so that no escape is cut in the middle."""
    if len(_escaped(text)) <= most:
        return _escaped(text)
    found, length = list[str](), 0
    for sign in text:
        each = _escaped(sign)
        length += len(each)
        if length >= most:
            break
        found.append(each)
    return "".join(found) + "…"
