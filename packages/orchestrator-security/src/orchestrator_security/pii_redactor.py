"""Taking personal data out of what leaves the process.

What the user types:

    redactor = PiiRedactor()
    redactor.redact_text("call me at +49 30 901820")   # 'call me at [PHONE]'
    redactor.know("call-1", ["Zoë Müller", "room 412"])
    redactor.redact({"said": "MUELLER in four one two"}, call="call-1")

What has a form of its own is found by it (cards, IBANs, phone numbers, addresses, national ids, documents, dates of birth, secrets), in
one pass whose time grows with the text and nothing else. What has none, a name or a room, is redacted where it is known: as the
identity of the people in a call, in every form it takes. `PiiRedactor` is the kernel's `Redactor`; it never lets a value pass that it
failed to read.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, cast

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.ports import Json
from orchestrator_security._pii.kinds import Kind, Span
from orchestrator_security._pii.known import KnownValues
from orchestrator_security._pii.lines import LONGEST_LINE, KeyBlocks, Lines, Piece, pieces
from orchestrator_security._pii.rules import WHOLE, Level, Pseudonyms, RedactionRules, field_name, rendered
from orchestrator_security._pii.scan import merged
from orchestrator_security._pii.scan import spans as line_spans

__all__ = [
    "GDPR_FIELDS",
    "Kind",
    "Level",
    "PiiRedactor",
    "RedactionRules",
    "RedactionStream",
    "Span",
    "field_name",
    "find",
]

logger = logging.getLogger(__name__)

_MOST_CALLS = 10_000
_DEEPEST = 200

GDPR_FIELDS: Final[Mapping[str, Level]] = {
    **dict.fromkeys(
        (
            "biometric",
            "health",
            "diagnosis",
            "religion",
            "ethnicity",
            "political_opinion",
            "sexual_orientation",
            "union",
        ),
        Level.DROP,
    ),
    **dict.fromkeys(
        ("password", "secret", "token", "authorization", "api_key", "cookie", "set_cookie", "private_key"), Level.FULL
    ),
    **dict.fromkeys(
        (
            *("ssn", "national_id", "tax_id", "passport", "passport_number", "driving_licence", "date_of_birth"),
            *("card", "card_number", "credit_card", "cvv", "iban", "bank_account", "account_number"),
        ),
        Level.FULL,
    ),
    **dict.fromkeys(("room", "room_number", "confirmation_number", "booking_code"), Level.PARTIAL),
    **dict.fromkeys(("session_id", "client_ip", "ip", "ip_address"), Level.HASH),
    **dict.fromkeys(
        ("name", "first_name", "last_name", "full_name", "guest_name", "address", "email", "phone", "caller"),
        Level.LABEL,
    ),
}
"""A starting point for `RedactionRules.fields`; it hashes, so the redactor needs a key."""


def find(text: str) -> list[Span]:
    """What is personal or secret in `text` by its form, in order, without overlaps; each line is read by itself."""
    if "\n" not in text and len(text) <= LONGEST_LINE:
        return line_spans(text)
    found: list[Span] = []
    at = 0
    for piece in pieces(text):
        found.extend(Span(at + span.start, at + span.end, span.kind) for span in line_spans(piece.text))
        at += len(piece.text)
    return found


class PiiRedactor:
    """The kernel's `Redactor`; safe to share between tasks and threads."""

    def __init__(
        self,
        rules: RedactionRules | None = None,
        *,
        key: bytes | None = None,
        tenant: str = "",
        contexts: Mapping[str, RedactionRules] | None = None,
        finders: Sequence[Callable[[str], Iterable[Span]]] = (),
        observe: Callable[[Kind], None] | None = None,
    ) -> None:
        """Set up.

        Args:
            rules: What becomes of what is found; None: a label for everything.
            key: For pseudonyms, at least 16 bytes; needed where a rule hashes.
            tenant: Whose pseudonyms they are where a value does not tell it; other tenants' differ. A tree tells it by its member `tenant` or `tenant_id`,
                a call by what it is known with.
            contexts: Rules for single purposes (`audit_log`, `export`), see `within`.
            finders: Asked for more spans in each line, for example a `PresidioFinder` for free names.
            observe: Told the kind of everything that is replaced, for a counter; never what it was.

        Raises:
            ConfigurationError: A rule hashes and there is no key, or the key is too short.
        """
        self._rules = rules or RedactionRules()
        self._contexts = dict(contexts or {})
        self._finders = tuple(finders)
        self._observe = observe
        self._key = key
        self._pseudonyms = None if key is None else Pseudonyms(key, tenant)
        self._tenant = tenant
        self._hashes = any(each.needs_key for each in (self._rules, *self._contexts.values()))
        if key is None and self._hashes:
            raise ConfigurationError("a redaction rule hashes: give the redactor a key for its pseudonyms")
        self._known: dict[str, KnownValues] = {}

    def within(self, context: str | None = None, *, tenant: str | None = None) -> PiiRedactor:
        """This redactor with the rules of a context, or with the pseudonyms of another tenant; it knows what this one knows.

        Raises:
            ConfigurationError: There is no such context: a misspelt name must not loosen anything.
        """
        if context is not None and context not in self._contexts:
            raise ConfigurationError(
                f"no redaction context {context}; there are: {', '.join(sorted(self._contexts)) or 'none'}"
            )
        other = object.__new__(PiiRedactor)
        other.__dict__.update(self.__dict__)
        if context is not None:
            other._rules = self._contexts[context]
        if tenant is not None and self._key is not None:
            other._pseudonyms, other._tenant = Pseudonyms(self._key, tenant), tenant
        return other

    def know(self, call: str, values: Iterable[str], *, tenant: str = "") -> None:
        """See `Redactor`; `tenant` is whose call it is: its pseudonyms are that tenant's from now on."""
        if call not in self._known and len(self._known) >= _MOST_CALLS:
            # Whoever forgets to forget loses the oldest call, and hears of it.
            oldest = next(iter(self._known))
            del self._known[oldest]
            logger.warning("redactor forgot the values of its oldest call, because it knows %d calls", _MOST_CALLS)
        known = self._known.setdefault(call, KnownValues())
        known.tenant = tenant or known.tenant
        known.add(values)

    def forget(self, call: str) -> None:
        self._known.pop(call, None)

    def redact_text(self, text: str, *, call: str | None = None) -> str:
        try:
            return self._of(None, call)._text(text, call)  # noqa: SLF001 - one of ours
        except Exception:  # noqa: BLE001 - whatever went wrong, the value must not pass
            logger.error("redaction failed; the whole value was redacted")  # noqa: TRY400 - a traceback would show the value
            return WHOLE

    def redact_piece(self, piece: Piece, blocks: KeyBlocks, *, call: str | None = None) -> str:
        """`redact_text` for a part of a longer text, for `RedactionStream`."""
        try:
            return self._of(None, call)._piece(piece, call, blocks)  # noqa: SLF001 - one of ours
        except Exception:  # noqa: BLE001 - whatever went wrong, the value must not pass
            logger.error("redaction failed; the whole piece was redacted")  # noqa: TRY400 - a traceback would show it
            return WHOLE

    def redact_bytes(self, data: bytes, *, call: str | None = None) -> bytes:
        """`redact_text` for UTF-8; bytes that are none come back as they were."""
        return self.redact_text(data.decode(errors="surrogateescape"), call=call).encode(errors="surrogateescape")

    def redact(self, value: Json, *, call: str | None = None) -> Json:
        try:
            return self._of(value, call)._value(value, "", call, 0)  # noqa: SLF001 - one of ours
        except Exception:  # noqa: BLE001 - whatever went wrong, the value must not pass
            logger.error("redaction failed; the whole value was redacted")  # noqa: TRY400 - a traceback would show the value
            return WHOLE

    def stream(self, *, call: str | None = None) -> RedactionStream:
        """A stream whose output is that of `redact_text` for the whole text, however it is cut into chunks."""
        return RedactionStream(self, call)

    def _of(self, value: Json, call: str | None) -> PiiRedactor:
        """This redactor with the pseudonyms of the tenant that the value, or the call, belongs to."""
        if not self._hashes:
            return self
        tenant: object = None
        if isinstance(value, Mapping):
            tenant = value.get("tenant") or value.get("tenant_id")
        known = None if call is None else self._known.get(call)
        if not isinstance(tenant, str):
            tenant = known.tenant if known is not None else ""
        return self.within(tenant=tenant) if tenant and tenant != self._tenant else self

    def _text(self, text: str, call: str | None, field: str = "") -> str:
        if "\n" not in text and len(text) <= LONGEST_LINE:
            return self._line(text, call, field)
        if len(text) <= LONGEST_LINE and "PRIVATE KEY" not in text:
            return "\n".join([self._line(line, call, field) for line in text.split("\n")])
        blocks = KeyBlocks()
        return "".join([self._piece(piece, call, blocks, field) for piece in pieces(text)])

    def _piece(self, piece: Piece, call: str | None, blocks: KeyBlocks, field: str = "") -> str:
        end = "\n" if piece.text.endswith("\n") else ""
        line = piece.text.removesuffix("\n")
        if not piece.whole or (blocks.holds(line) and line.strip()):
            return WHOLE + end
        return self._line(line, call, field) + end

    def _line(self, line: str, call: str | None, field: str = "") -> str:
        if not line:
            return line
        known = None if call is None else self._known.get(call)
        if field:
            # The name of the field says what a bare number is, as a word in a sentence does.
            shift = len(field) + 2
            shifted = [
                (max(0, start - shift), end - shift, kind) for start, end, kind in line_spans(f"{field}: {line}")
            ]
            found = [Span(start, end, kind) for start, end, kind in shifted if end > 0]
        else:
            found = line_spans(line)
        if known is not None or self._finders:
            more = [] if known is None else known.spans(line)
            found = merged([*found, *more, *(span for finder in self._finders for span in finder(line))])
        return self._replaced(line, found)

    def _replaced(self, text: str, found: Sequence[Span]) -> str:
        if not found:
            return text
        parts: list[str] = []
        at = 0
        for start, end, kind in found:
            if self._observe is not None:
                self._observe(kind)
            parts += (text[at:start], rendered(text[start:end], kind, self._rules.level(kind), self._pseudonyms))
            at = end
        parts.append(text[at:])
        return "".join(parts)

    def _value(self, value: object, field: str, call: str | None, depth: int) -> Json:
        if depth > _DEEPEST:
            return WHOLE
        if isinstance(value, str):
            return self._text(value, call, field)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, Mapping):
            return cast("Json", self._members(cast("Mapping[object, object]", value), call, depth))
        if isinstance(value, list | tuple | set | frozenset):
            return [self._value(each, field, call, depth + 1) for each in cast("Iterable[object]", value)]
        # Numbers, and what loggers are handed besides JSON: dates, errors, bytes. It stays what it is if its text holds nothing.
        text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
        redacted = self._text(text, call, field)
        return cast("Json", value) if redacted == text else redacted

    def _members(self, value: Mapping[object, object], call: str | None, depth: int) -> dict[object, Json]:
        members: dict[object, Json] = {}
        for name, each in value.items():
            shown = name
            # An identifier can hold nothing that is told by its form, only what is known of a call.
            if isinstance(name, str) and (call is not None or not name.isidentifier()):
                shown = base = self._text(name, call)
                number = 2
                while shown in members:
                    shown, number = f"{base} ({number})", number + 1
            members[shown] = self._field(str(name), each, call, depth)
        return members

    def _field(self, name: str, value: object, call: str | None, depth: int) -> Json:
        level = self._rules.fields.get(field_name(name))
        if level is None:
            return self._value(value, name, call, depth + 1)
        if level is Level.KEEP or value is None:
            return cast("Json", value)
        if level is Level.DROP:
            return None
        if isinstance(value, Mapping):
            return dict.fromkeys(cast("Mapping[str, object]", value), WHOLE)
        if isinstance(value, list | tuple | set | frozenset):
            return [WHOLE] * len(cast("Sequence[object]", value))
        return rendered(str(value), name.upper(), level, self._pseudonyms)


class RedactionStream:
    """Redacts text that arrives in chunks: a line is given on when it is complete, or in parts when it is longer than 64 KiB."""

    def __init__(self, redactor: PiiRedactor, call: str | None) -> None:
        self._redactor = redactor
        self._call = call
        self._lines, self._blocks = Lines(), KeyBlocks()

    def feed(self, chunk: str) -> str:
        """What can be given on now."""
        return self._redacted(self._lines.feed(chunk))

    def flush(self) -> str:
        """The rest; then the stream begins anew."""
        rest = self._redacted(self._lines.flush())
        self._lines, self._blocks = Lines(), KeyBlocks()
        return rest

    def through(self, chunks: Iterable[str]) -> Iterator[str]:
        """All chunks, redacted, and the rest."""
        for chunk in chunks:
            ready = self.feed(chunk)
            if ready:
                yield ready
        rest = self.flush()
        if rest:
            yield rest

    def _redacted(self, parts: Iterable[Piece]) -> str:
        return "".join([self._redactor.redact_piece(part, self._blocks, call=self._call) for part in parts])
