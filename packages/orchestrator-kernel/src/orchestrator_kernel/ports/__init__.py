"""The seams at which packages meet: small protocols, each with a contract suite in `orchestrator_kernel.contracts`.

A package takes what it needs as an argument typed by one of these; only the application knows which package stands behind it.
The audio of a call has a module of its own, `orchestrator_kernel.ports.audio`.
"""

from orchestrator_kernel.ports.admission import Admission, AdmissionDecision, AdmissionRequest
from orchestrator_kernel.ports.audio import AudioCodec
from orchestrator_kernel.ports.audit import AuditSink
from orchestrator_kernel.ports.clock import Clock, SystemClock
from orchestrator_kernel.ports.principal import Principal
from orchestrator_kernel.ports.redaction import Json, Redactor
from orchestrator_kernel.ports.sealing import Erased, SealBroken, Sealer, SealScope, SecretNotFound, SecretReader
from orchestrator_kernel.ports.speech import (
    Speech,
    SpeechChunk,
    SpeechFailed,
    SpeechRequest,
    SpeechUnavailable,
    WordTiming,
)
from orchestrator_kernel.ports.webhooks import WebhookRefused, WebhookRequest, WebhookSender, WebhookVerifier

__all__ = [
    "Admission",
    "AdmissionDecision",
    "AdmissionRequest",
    "AudioCodec",
    "AuditSink",
    "Clock",
    "Erased",
    "Json",
    "Principal",
    "Redactor",
    "SealBroken",
    "SealScope",
    "Sealer",
    "SecretNotFound",
    "SecretReader",
    "Speech",
    "SpeechChunk",
    "SpeechFailed",
    "SpeechRequest",
    "SpeechUnavailable",
    "SystemClock",
    "WebhookRefused",
    "WebhookRequest",
    "WebhookSender",
    "WebhookVerifier",
    "WordTiming",
]
