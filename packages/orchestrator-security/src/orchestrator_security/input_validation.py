"""Positive validation: what a request may be is said, and everything else is refused. There is no list of bad words.

What the user types:

    app.add_middleware(InputLimits, limits=RequestLimits(body=65_536))     # sizes and JSON, while the request is read

    class Booking(StrictModel):                                            # fields
        room: Line
    Booking.parse(body)

    AllowedFolder("/srv/prompts").open(name)                               # paths
    UrlPolicy().check(url)                                                 # URLs; GuardedTransport for httpx, extra [http]
    log_text(name), header_value(name), safe_file_name(name)               # texts on their way out

Every refusal is an `OrchestratorError` with a status of its own, and says what was wrong without repeating the input.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator_security._late import load
from orchestrator_security._validation.errors import (
    AddressRefused,
    BodyTooLarge,
    FieldsRefused,
    JsonRefused,
    NameRefused,
    PathRefused,
    RequestRefused,
    UnsupportedMediaType,
)
from orchestrator_security._validation.json_limits import JsonLimits, parse_json
from orchestrator_security._validation.names import content_disposition, header_value, log_text, safe_file_name
from orchestrator_security._validation.paths import AllowedFolder
from orchestrator_security._validation.requests import InputLimits, RequestLimits
from orchestrator_security._validation.urls import CheckedUrl, UrlPolicy

if TYPE_CHECKING:
    from orchestrator_security._drivers.guarded_http import GuardedTransport
    from orchestrator_security._validation.strict_model import Line, LongText, StrictModel, Text

__all__ = [
    "AddressRefused",
    "AllowedFolder",
    "BodyTooLarge",
    "CheckedUrl",
    "FieldsRefused",
    "GuardedTransport",
    "InputLimits",
    "JsonLimits",
    "JsonRefused",
    "Line",
    "LongText",
    "NameRefused",
    "PathRefused",
    "RequestLimits",
    "RequestRefused",
    "StrictModel",
    "Text",
    "UnsupportedMediaType",
    "UrlPolicy",
    "content_disposition",
    "header_value",
    "log_text",
    "parse_json",
    "safe_file_name",
]

_LATE = {
    "GuardedTransport": "orchestrator_security._drivers.guarded_http",
    "Line": "orchestrator_security._validation.strict_model",
    "LongText": "orchestrator_security._validation.strict_model",
    "StrictModel": "orchestrator_security._validation.strict_model",
    "Text": "orchestrator_security._validation.strict_model",
}


def __getattr__(name: str) -> object:
    """Load what costs an import of its own with its first use: the base model (all of pydantic), and httpx."""
    return load(name, _LATE, {"httpx": "http", "httpcore": "http"})
