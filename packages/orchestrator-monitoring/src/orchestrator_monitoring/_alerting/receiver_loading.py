"""Receivers from a file; secrets may stand in a file of their own or in the environment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, cast
from urllib.parse import urlsplit

from orchestrator_kernel.models import Severity
from orchestrator_monitoring._alerting.routing import AlertingRefused
from orchestrator_monitoring._alerting.specs import (
    AlertmanagerSpec,
    EmailSpec,
    PagerDutySpec,
    ReceiverSpec,
    SlackSpec,
    WebhookSpec,
)
from orchestrator_monitoring._receivers.email import EmailConfig
from orchestrator_monitoring._slo.documents import Fields

__all__ = ["read_receiver"]

_KINDS = ("slack", "pagerduty", "email", "webhook", "alertmanager")


def read_receiver(fields: Fields, environment: Mapping[str, str]) -> ReceiverSpec:
    """One table `[[receiver]]`.

    Raises:
        ConfigurationError: It cannot be used; with file, line and reason, and without any secret.
    """
    name, kind = fields.text("name"), fields.choice("type", _KINDS)
    try:
        spec = _spec(fields, name, kind, environment)
    except AlertingRefused as error:
        fields.retell(error)
    fields.end(f"a receiver of type {kind}")
    return spec


def _spec(fields: Fields, name: str, kind: str, environment: Mapping[str, str]) -> ReceiverSpec:
    if kind == "slack":
        return SlackSpec(name=name, url=_url(fields, environment), channel=fields.text("channel", ""))
    if kind == "pagerduty":
        key, source = _secret(fields, "routing_key", environment), fields.text("source", "orchestrator")
        other = _url(fields, environment) if "url" in fields else ""
        return PagerDutySpec(name=name, routing_key=key, source=source, url=other)
    if kind == "webhook":
        return WebhookSpec(
            name=name, url=_url(fields, environment), secret=_secret(fields, "secret", environment, optional=True)
        )
    if kind == "alertmanager":
        return AlertmanagerSpec(name=name, url=_url(fields, environment))
    return EmailSpec(name=name, config=_mail(fields, environment))


def _mail(fields: Fields, environment: Mapping[str, str]) -> EmailConfig:
    security = fields.choice("security", ("starttls", "tls", "none"), "starttls")
    by_severity: dict[Severity, tuple[str, ...]] = {}
    some = fields.table("by_severity")
    if some is not None:
        for each in Severity:
            if each.value in some:
                by_severity[each] = some.texts(each.value)
        some.end("by_severity")
    return EmailConfig(
        host=fields.text("host"),
        port=fields.whole("port", 465 if security == "tls" else 587),
        security=cast("Literal['starttls', 'tls', 'none']", security),
        user=fields.text("user", ""),
        password=_secret(fields, "password", environment, optional=True),
        sender=fields.text("from"),
        recipients=fields.texts("to"),
        by_severity=by_severity,
        ca_file=fields.text("ca_file", "") or None,
    )


def _url(fields: Fields, environment: Mapping[str, str]) -> str:
    text = _secret(fields, "url", environment)
    try:
        parts = urlsplit(text)
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good:
        # The URL itself may be the secret.
        fields.refuse("url must be http://host or https://host", "url")
    return text


def _secret(fields: Fields, name: str, environment: Mapping[str, str], *, optional: bool = False) -> str:
    """A value that stands here, in the environment (`NAME_env`), or in a file (`NAME_file`)."""
    ways = [each for each in (name, f"{name}_env", f"{name}_file") if each in fields]
    if len(ways) > 1:
        fields.refuse(f"write one of {', '.join(ways)}", ways[1])
    if not ways:
        if optional:
            return ""
        fields.refuse(f"{name} is missing; write {name}, {name}_env or {name}_file")
    way = ways[0]
    text = fields.text(way)
    if way == f"{name}_env":
        value = environment.get(text, "")
        if not value:
            fields.refuse(f"the environment has no {text}", way)
        return value
    if way == f"{name}_file":
        try:
            value = Path(text).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            fields.refuse(f"the file {text} cannot be read", way)
        if not value:
            fields.refuse(f"the file {text} is empty", way)
        return value
    return text
