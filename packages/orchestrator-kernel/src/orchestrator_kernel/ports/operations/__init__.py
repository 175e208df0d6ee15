"""What pages and tools for operators read: calls, health, objectives, alerts, policies, audit, and the way in.

Apart from the other ports, so that a service without such a page does not pay for loading them.
"""

from orchestrator_kernel.ports.operations.alerts import Alert, Alerts, AlertState, UnknownAlert
from orchestrator_kernel.ports.operations.audit_reading import AuditReader
from orchestrator_kernel.ports.operations.health import HealthReader
from orchestrator_kernel.ports.operations.live_calls import CallSummary, CallTranscript, CallTurn, LiveCalls
from orchestrator_kernel.ports.operations.objectives import BurnRate, Objective, ObjectiveReader, ObjectiveState
from orchestrator_kernel.ports.operations.policies import DependencyPolicy, PolicyReader, RateRule
from orchestrator_kernel.ports.operations.sign_in import BrowserSignIn, SecondFactorNeeded, SignedIn, Viewer
from orchestrator_kernel.ports.operations.trial_calls import (
    LineClosed,
    LineEvent,
    SpeechCut,
    SpeechEnds,
    SpeechSound,
    SpeechStarts,
    TrialCall,
    TrialCalls,
    TrialLine,
    UnknownTrialCall,
)

__all__ = [
    "Alert",
    "AlertState",
    "Alerts",
    "AuditReader",
    "BrowserSignIn",
    "BurnRate",
    "CallSummary",
    "CallTranscript",
    "CallTurn",
    "DependencyPolicy",
    "HealthReader",
    "LineClosed",
    "LineEvent",
    "LiveCalls",
    "Objective",
    "ObjectiveReader",
    "ObjectiveState",
    "PolicyReader",
    "RateRule",
    "SecondFactorNeeded",
    "SignedIn",
    "SpeechCut",
    "SpeechEnds",
    "SpeechSound",
    "SpeechStarts",
    "TrialCall",
    "TrialCalls",
    "TrialLine",
    "UnknownAlert",
    "UnknownTrialCall",
    "Viewer",
]
