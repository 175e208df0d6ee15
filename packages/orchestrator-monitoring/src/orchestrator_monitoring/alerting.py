"""Alerts that reach people: once, grouped, until they end, and over every restart.

What the user types:

    config = load_alerting(Path("alerts.toml"), catalogue=catalogue, environment=os.environ)      # or default_alerting()
    receivers = make_receivers(config.receivers, http=http, clock=clock, signer=sign)
    service = AlertService(routing=config.routing, store=SqlAlertStore(engine), sources=[SloConditions(monitor)], receivers=receivers, clock=clock, process="a")
    await service.start()

The decisions are pure (`_alerting/`): an alert is pending for as long as its rule asks, then fires, then is resolved; a group of alerts makes one notice per interval;
silences, inhibitions, acknowledgement and escalation decide who hears of it. What is to be told is kept with the state that it follows from, in one transaction, and sent by
tasks of their own, so that a receiver that is down delays nobody and a crash loses nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

from orchestrator_monitoring._alerting.documents import record_document
from orchestrator_monitoring._alerting.groups import Book, Change, Notice, step
from orchestrator_monitoring._alerting.loading import AlertingConfig, SlaTarget, default_alerting, load_alerting
from orchestrator_monitoring._alerting.meters import (
    ALERT_METRICS,
    DELIVERIES,
    EVALUATED_AT,
    EVALUATION,
    FIRING,
    Meters,
)
from orchestrator_monitoring._alerting.receiving import NoticeFailed, Receiver
from orchestrator_monitoring._alerting.routing import (
    AlertingRefused,
    Escalation,
    Inhibition,
    Route,
    Routing,
    Silence,
)
from orchestrator_monitoring._alerting.rules import (
    AlertRule,
    ConditionSource,
    EventsCheck,
    Found,
    GaugeCheck,
    RatioCheck,
)
from orchestrator_monitoring._alerting.service import EVALUATION_FAILED, AlertService
from orchestrator_monitoring._alerting.sources import RuleWatch, SloConditions, slo_conditions
from orchestrator_monitoring._alerting.specs import (
    AlertmanagerSpec,
    EmailSpec,
    PagerDutySpec,
    ReceiverSpec,
    SlackSpec,
    WebhookSpec,
    default_routing,
    make_receivers,
)
from orchestrator_monitoring._alerting.states import AlertRecord, Condition, advance, fingerprint
from orchestrator_monitoring._alerting.store import AlertStore, Delivery, Lease, LeaseLost, MemoryAlertStore
from orchestrator_monitoring._alerting.usage import CPU_USED, MEMORY_USED, USAGE_METRICS, ProcessUsage

if TYPE_CHECKING:
    from orchestrator_monitoring._drivers.sql_alerts import SqlAlertStore
    from orchestrator_monitoring._receivers.email import EmailConfig

__all__ = [
    "ALERT_METRICS",
    "CPU_USED",
    "DELIVERIES",
    "EVALUATED_AT",
    "EVALUATION",
    "EVALUATION_FAILED",
    "FIRING",
    "MEMORY_USED",
    "USAGE_METRICS",
    "AlertRecord",
    "AlertRule",
    "AlertService",
    "AlertStore",
    "AlertingConfig",
    "AlertingRefused",
    "AlertmanagerSpec",
    "Book",
    "Change",
    "Condition",
    "ConditionSource",
    "Delivery",
    "EmailConfig",
    "EmailSpec",
    "Escalation",
    "EventsCheck",
    "Found",
    "GaugeCheck",
    "Inhibition",
    "Lease",
    "LeaseLost",
    "MemoryAlertStore",
    "Meters",
    "Notice",
    "NoticeFailed",
    "PagerDutySpec",
    "ProcessUsage",
    "RatioCheck",
    "Receiver",
    "ReceiverSpec",
    "Route",
    "Routing",
    "RuleWatch",
    "Silence",
    "SlaTarget",
    "SlackSpec",
    "SloConditions",
    "SqlAlertStore",
    "WebhookSpec",
    "advance",
    "default_alerting",
    "default_routing",
    "fingerprint",
    "load_alerting",
    "make_receivers",
    "record_document",
    "slo_conditions",
    "step",
]

_LATE: Final = {
    "EmailConfig": "orchestrator_monitoring._receivers.email",
    "SqlAlertStore": "orchestrator_monitoring._drivers.sql_alerts",
}


def __getattr__(name: str) -> object:
    if name not in _LATE:
        raise AttributeError(name)
    return getattr(import_module(_LATE[name]), name)
