"""Contract suites for the ports, for everyone who implements one.

What the user types, in a test module run by pytest with `asyncio_mode = "auto"`:

    class TestMySealer(SealerContract):
        def make(self) -> Sealer:
            return MySealer(...)

Each suite is plain assertions; importing it needs nothing but this package. A suite tests what callers rely on, so passing it
means that the implementation can stand behind the port.
"""

from orchestrator_kernel.contracts.admission import AdmissionContract
from orchestrator_kernel.contracts.audio import AudioCodecContract, AudioPathContract, TranscriberContract
from orchestrator_kernel.contracts.audit import AuditSinkContract
from orchestrator_kernel.contracts.clock import ClockContract
from orchestrator_kernel.contracts.principal import PrincipalContract
from orchestrator_kernel.contracts.redaction import RedactorContract
from orchestrator_kernel.contracts.sealing import SealerContract, SecretReaderContract
from orchestrator_kernel.contracts.speech import SpeechContract
from orchestrator_kernel.contracts.webhooks import SignedBodyContract, WebhookVerifierContract

__all__ = [
    "AdmissionContract",
    "AudioCodecContract",
    "AudioPathContract",
    "AuditSinkContract",
    "ClockContract",
    "PrincipalContract",
    "RedactorContract",
    "SealerContract",
    "SecretReaderContract",
    "SignedBodyContract",
    "SpeechContract",
    "TranscriberContract",
    "WebhookVerifierContract",
]
