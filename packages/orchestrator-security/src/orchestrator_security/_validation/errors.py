"""How input is refused; every message may be shown to the sender, and none holds what was sent."""

from __future__ import annotations

from orchestrator_kernel.exceptions import Detail, SecurityError, ValidationError

__all__ = [
    "AddressRefused",
    "BodyTooLarge",
    "FieldsRefused",
    "JsonRefused",
    "NameRefused",
    "PathRefused",
    "RequestRefused",
    "UnsupportedMediaType",
]


class RequestRefused(ValidationError):
    """The head of a request has not the form it must have: 400, 414 for a long target, 431 for large headers."""

    default_code = "request_refused"
    default_status = 400


class BodyTooLarge(ValidationError):
    """The body has more bytes than this request may have."""

    default_code = "body_too_large"
    default_status = 413


class UnsupportedMediaType(ValidationError):
    """The body is not of a kind, a character set or an encoding that is taken here."""

    default_code = "unsupported_media_type"
    default_status = 415


class JsonRefused(ValidationError):
    """The body is no JSON (400, `invalid_json`), or JSON beyond a limit (422, `json_limit`)."""

    default_code = "invalid_json"
    default_status = 400

    @classmethod
    def limit(cls, what: str, allowed: float) -> JsonRefused:
        """A limit is exceeded; which one and what it is goes to the sender."""
        details: dict[str, Detail] = {"limit": what, "allowed": allowed}
        return cls(
            f"The JSON is beyond a limit: {what} may be {allowed:g}.", code="json_limit", status=422, details=details
        )


class FieldsRefused(ValidationError):
    """Fields are missing, unknown or not of their form; `details["fields"]` names them as `path: kind`."""

    default_code = "fields_refused"


class PathRefused(SecurityError):
    """A file path leads out of where it must stay, or over something that is no plain file or folder."""

    default_code = "path_refused"


class NameRefused(SecurityError):
    """A text cannot be a file name, or a header value."""

    default_code = "name_refused"


class AddressRefused(SecurityError):
    """A URL names something that must not be asked from here."""

    default_code = "address_refused"
