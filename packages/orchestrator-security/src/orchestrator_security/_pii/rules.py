"""What becomes of what was found."""

from __future__ import annotations

import hmac
from base64 import b32encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_security._pii.folding import folded
from orchestrator_security._pii.kinds import Kind
from orchestrator_security._tenant_key import tenant_key

WHOLE = "[REDACTED]"
"""Stands for a whole value."""

_KEPT = 4
_MIN_KEY_BYTES = 16


class Level(StrEnum):
    """How much of a value stays readable."""

    FULL = "full"
    """`[REDACTED]`: not even what it was."""
    LABEL = "label"
    """`[PHONE]`: what it was."""
    PARTIAL = "partial"
    """`****1881`: its last four letters or figures, if it has at least eight."""
    HASH = "hash"
    """`[PHONE:7F3KQ2MDXA5B]`: a keyed pseudonym, the same for the same value of the same tenant."""
    DROP = "drop"
    """Nothing."""
    KEEP = "keep"
    """The value itself; for fields that cannot hold personal data."""


def _empty_kinds() -> Mapping[Kind, Level]:
    return MappingProxyType({})


def _empty_fields() -> Mapping[str, Level]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class RedactionRules:
    """Levels by kind, and by the name of a field in a tree.

    Attributes:
        default: For every kind that `kinds` does not name.
        kinds: Levels of single kinds.
        fields: Levels of whole fields, by their names in small letters without `-` and `_` (`phonenumber`), whatever stands in them;
            KEEP leaves a field unread. A field without a level is searched like any text.
    """

    default: Level = Level.LABEL
    kinds: Mapping[Kind, Level] = field(default_factory=_empty_kinds)
    fields: Mapping[str, Level] = field(default_factory=_empty_fields)

    def __post_init__(self) -> None:
        if Level.KEEP in {self.default, *self.kinds.values()}:
            raise ConfigurationError("only a field can be kept: a kind of personal data cannot")
        object.__setattr__(self, "kinds", MappingProxyType(dict(self.kinds)))
        object.__setattr__(
            self, "fields", MappingProxyType({field_name(name): level for name, level in self.fields.items()})
        )

    @property
    def needs_key(self) -> bool:
        """Whether anything is hashed."""
        return Level.HASH in {self.default, *self.kinds.values(), *self.fields.values()}

    def level(self, kind: Kind) -> Level:
        """What becomes of a value of this kind."""
        return self.kinds.get(kind, self.default)


def field_name(name: str) -> str:
    """One spelling for `phoneNumber`, `phone_number` and `Phone-Number`."""
    return name.lower().replace("_", "").replace("-", "").replace(" ", "")


class Pseudonyms:
    """Keyed pseudonyms of one tenant: HMAC-SHA256 over kind and folded value under the tenant's own key, 60 bits of it."""

    def __init__(self, key: bytes, tenant: str) -> None:
        """Set up.

        Raises:
            ConfigurationError: The key has less than 16 bytes: phone numbers could be searched for.
        """
        if len(key) < _MIN_KEY_BYTES:
            raise ConfigurationError(f"the pseudonym key has {len(key)} bytes; at least {_MIN_KEY_BYTES} are needed")
        self._key = tenant_key(key, tenant)
        self._tenant = tenant

    def of(self, value: str, kind: str) -> str:
        """The same for every spelling that differs in case, spaces and punctuation only."""
        plain = "".join([character for character in folded(value) if character.isalnum()])
        parts = [part.encode(errors="replace") for part in (self._tenant, kind, plain)]
        content = b"".join([len(part).to_bytes(4, "big") + part for part in parts])
        return b32encode(hmac.digest(self._key, content, "sha256"))[:12].decode()


def rendered(value: str, kind: str, level: Level, pseudonyms: Pseudonyms | None) -> str:
    """What stands for `value`."""
    match level:
        case Level.LABEL:
            return f"[{kind}]"
        case Level.PARTIAL:
            return partial(value)
        case Level.DROP:
            return ""
        case Level.KEEP:
            return value
        case Level.HASH if pseudonyms is not None:
            return f"[{kind}:{pseudonyms.of(value, kind)}]"
        case _:
            return WHOLE


def partial(value: str) -> str:
    """`****` and the last four letters or figures; of a value with less than eight nothing is kept."""
    kept = [character for character in value if character.isalnum()]
    return "****" + ("".join(kept[-_KEPT:]) if len(kept) >= 2 * _KEPT else "")
