"""The redactor from outside: the port's contract, levels, fields, contexts, trees, streams, and what happens when it fails."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pii_corpus import LOCALES, annotated

from orchestrator_kernel.contracts import RedactorContract
from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.ports import Redactor
from orchestrator_security._pii import scan
from orchestrator_security.pii_redactor import GDPR_FIELDS, Kind, Level, PiiRedactor, RedactionRules

KEY = b"a key of the tenant's pseudonyms"


class TestContract(RedactorContract):
    def make(self) -> Redactor:
        return PiiRedactor()


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        (Level.LABEL, "call [PHONE] now"),
        (Level.FULL, "call [REDACTED] now"),
        (Level.PARTIAL, "call ****1820 now"),
        (Level.DROP, "call  now"),
    ],
)
def test_levels(level: Level, expected: str) -> None:
    assert PiiRedactor(RedactionRules(default=level)).redact_text("call +49 30 901820 now") == expected


def test_each_kind_may_have_a_level_of_its_own() -> None:
    redactor = PiiRedactor(
        RedactionRules(default=Level.FULL, kinds={Kind.EMAIL: Level.PARTIAL, Kind.CARD: Level.LABEL})
    )
    assert redactor.redact_text("zoe@example.org 4111111111111111 192.0.2.1") == "****eorg [CARD] [REDACTED]".replace(
        "eorg", "eorg"
    )


def test_of_a_short_value_nothing_is_kept() -> None:
    redactor = PiiRedactor(RedactionRules(default=Level.PARTIAL))
    redactor.know("c", ["412"])
    assert redactor.redact_text("room 412", call="c") == "room ****"


def test_pseudonyms_are_stable_per_tenant_and_cannot_be_computed_without_the_key() -> None:
    redactor = PiiRedactor(RedactionRules(default=Level.HASH), key=KEY, tenant="hotel-1")
    spellings = [redactor.redact_text(f"call {number}") for number in ("+49 30 901820", "+4930901820", "+49-30-901820")]
    assert len(set(spellings)) == 1
    assert spellings[0].startswith("call [PHONE:")
    assert redactor.redact_text("call +49 30 901821") != spellings[0]
    assert redactor.within(tenant="hotel-2").redact_text("call +4930901820") != spellings[0]
    assert redactor.within(tenant="hotel-1").redact_text("call +4930901820") == spellings[0]
    other = PiiRedactor(RedactionRules(default=Level.HASH), key=KEY[::-1], tenant="hotel-1")
    assert other.redact_text("call +4930901820") != spellings[0]
    with pytest.raises(ConfigurationError, match="key"):
        PiiRedactor(RedactionRules(default=Level.HASH))
    with pytest.raises(ConfigurationError, match="8 bytes"):
        PiiRedactor(key=b"too short"[:8])


def test_what_tells_its_tenant_gets_that_tenants_pseudonyms() -> None:
    redactor = PiiRedactor(RedactionRules(fields={"ip": Level.HASH, "phone": Level.HASH}, default=Level.HASH), key=KEY)
    first, second = redactor.within(tenant="hotel-1"), redactor.within(tenant="hotel-2")
    tree = {"ip": "203.0.113.9", "text": "call +4930901820"}
    for name in ("tenant", "tenant_id"):
        assert redactor.redact({**tree, name: "hotel-1"}) == {**first.redact(tree), name: "hotel-1"}  # type: ignore[dict-item]
    assert first.redact(tree) != second.redact(tree) != redactor.redact(tree)
    assert second.redact({**tree, "tenant": "hotel-1"})["ip"] == first.redact(tree)["ip"]  # type: ignore[index,call-overload]

    redactor.know("c1", ["Zyx"], tenant="hotel-1")
    redactor.know("c1", ["Quentin"])
    text = "Quentin Zyx called from +4930901820"
    assert redactor.redact_text(text, call="c1") == first.redact_text(text, call="c1")
    assert redactor.redact(tree, call="c1") == first.redact(tree)
    stream = redactor.stream(call="c1")
    assert stream.feed(text) + stream.flush() == first.redact_text(text, call="c1")
    assert redactor.redact_text("+4930901820", call="c2") == redactor.redact_text("+4930901820")


def test_fields_have_levels_whatever_stands_in_them() -> None:
    rules = RedactionRules(
        fields={
            "guest_name": Level.LABEL,
            "room": Level.PARTIAL,
            "token": Level.FULL,
            "health": Level.DROP,
            "order_id": Level.KEEP,
        }
    )
    tree = {
        "guestName": "Quentin",
        "room": "Suite 1204-B",
        "Token": 7,
        "health": {"allergies": ["nuts"]},
        "order_id": "4111111111111111",
        "nested": [{"token": ["a", "b"]}, {"room": {"number": 5}}],
    }
    assert PiiRedactor(rules).redact(tree) == {
        "guestName": "[GUESTNAME]",
        "room": "****204B",
        "Token": "[REDACTED]",
        "health": None,
        "order_id": "4111111111111111",
        "nested": [{"token": ["[REDACTED]", "[REDACTED]"]}, {"room": {"number": "[REDACTED]"}}],
    }


def test_the_name_of_a_field_says_what_a_bare_number_is() -> None:
    redactor = PiiRedactor()
    tree = {
        "phone": "4155550132",
        "order_id": "4155550132",
        "bsn": "123456782",
        "password": "hunter",
        "birth_date": "1984-05-12",
        "n": 12,
    }
    assert redactor.redact(tree) == {
        "phone": "[PHONE]",
        "order_id": "4155550132",
        "bsn": "[NATIONAL_ID]",
        "password": "[SECRET]",
        "birth_date": "[BIRTH_DATE]",
        "n": 12,
    }


def test_numbers_in_trees_are_read_and_harmless_ones_keep_their_type() -> None:
    tree = {"a": 4111111111111111, "b": 1, "c": 2.5, "d": True, "e": None, "f": 1795305600123}
    assert PiiRedactor().redact(tree) == {**tree, "a": "[CARD]"}


def test_what_loggers_are_handed_besides_json() -> None:
    at = datetime(2026, 11, 22, tzinfo=UTC)
    event = {
        "at": at,
        "error": ValueError("no zoe@example.org"),
        "raw": b"tel +4930901820",
        "ids": {7},
        5: "zoe@example.org",
        "pair": (1, "a"),
    }
    assert PiiRedactor().redact(event) == {
        "at": at,
        "error": "no [EMAIL]",
        "raw": "tel [PHONE]",
        "ids": [7],
        5: "[EMAIL]",
        "pair": [1, "a"],
    }


def test_contexts_have_rules_of_their_own_and_a_misspelt_one_is_refused() -> None:
    contexts = {"audit": RedactionRules(default=Level.HASH), "export": RedactionRules(default=Level.DROP)}
    redactor = PiiRedactor(key=KEY, contexts=contexts)
    redactor.know("c", ["Quentin Zyx"])
    assert redactor.within("export").redact_text("QUENTIN ZYX, x@y.example", call="c") == ", "
    assert redactor.within("audit").redact_text("Zyx", call="c").startswith("[KNOWN:")
    assert redactor.redact_text("Zyx", call="c") == "[KNOWN]"
    with pytest.raises(ConfigurationError, match="audit, export"):
        redactor.within("exports")


def test_a_kind_cannot_be_switched_off() -> None:
    for rules in ({"default": Level.KEEP}, {"kinds": {Kind.EMAIL: Level.KEEP}}):
        with pytest.raises(ConfigurationError, match="kept"):
            RedactionRules(**rules)


def test_the_preset_hides_what_the_law_names() -> None:
    redactor = PiiRedactor(RedactionRules(fields=GDPR_FIELDS), key=KEY)
    redacted = redactor.redact(
        {"health": "diabetes", "name": "Zoe", "room_number": "412", "client_ip": "192.0.2.1", "password": "x"}
    )
    assert redacted["health"] is None
    assert not {"diabetes", "Zoe", "412", "192.0.2.1"} & set(map(str, redacted.values()))


def test_a_failure_redacts_the_whole_value(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def broken(_text: str) -> None:
        raise ZeroDivisionError("zoe@example.org")

    redactor = PiiRedactor()
    monkeypatch.setattr(scan, "_words", lambda _line, _found: broken(""))
    assert redactor.redact_text("zoe@example.org") == "[REDACTED]"
    assert redactor.redact({"a": ["zoe@example.org"], "b": 1}) == "[REDACTED]"
    assert redactor.redact_bytes(b"zoe@example.org") == b"[REDACTED]"
    assert "".join(
        redactor.stream().through(["zoe@exam", "ple.org\nzoe@example.org"])
    ) == "[REDACTED]\n[REDACTED]".replace("\n", "")
    assert "zoe" not in caplog.text
    assert "redaction failed" in caplog.text


def test_a_tree_that_is_too_deep_is_redacted_not_passed() -> None:
    tree: object = "zoe@example.org"
    for _ in range(100_000):
        tree = [tree]
    redacted = PiiRedactor().redact(tree)
    while isinstance(redacted, list):
        redacted = redacted[0]
    assert redacted == "[REDACTED]"


def test_bytes_that_are_no_text_come_back_as_they_were() -> None:
    data = b"\xff\xfe zoe@example.org \x80\n\xc3"
    assert PiiRedactor().redact_bytes(data) == b"\xff\xfe [EMAIL] \x80\n\xc3"


PEM = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nMIIEpAIBAAKCAQEA\nabcd+/==\n-----END RSA PRIVATE KEY-----\nplain words\n"


def test_private_keys_go_line_by_line() -> None:
    redacted = PiiRedactor().redact_text(f"key:\n{PEM}")
    assert "MIIE" not in redacted
    assert "abcd" not in redacted
    assert redacted.endswith("-----END RSA PRIVATE KEY-----\nplain words\n")
    escaped = json.dumps({"k": PEM})
    assert "MIIE" not in PiiRedactor().redact_text(escaped)


TEXTS = [each.text for locale in LOCALES for each in annotated(locale, 60)]


@st.composite
def chunked(draw: st.DrawFn) -> tuple[str, list[str]]:
    parts = draw(
        st.lists(
            st.sampled_from(TEXTS)
            | st.sampled_from([PEM, "\n", "MÜLLER in four one two ", "Quentin\n"])
            | st.text(max_size=30),
            max_size=8,
        )
    )
    text = "".join(parts)
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=12)))
    return text, [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]


@given(chunked())
@settings(max_examples=300)
def test_a_stream_gives_the_same_for_every_chunking(case: tuple[str, list[str]]) -> None:
    text, chunks = case
    redactor = PiiRedactor()
    redactor.know("c", ["Quentin Müller", "room 412"])
    redacted = redactor.redact_text(text, call="c")
    assert "".join(redactor.stream(call="c").through(chunks)) == redacted
    assert redacted != "[REDACTED]"


@pytest.mark.parametrize("unit", ["zoe@example.org, ", "a", "1 ", "word words ", '{"a":"b"},'])
@pytest.mark.parametrize("size", [1, 1000, 65_537])
def test_lines_of_any_length_come_out_the_same(unit: str, size: int) -> None:
    text = unit * (150_000 // len(unit)) + "\n" + unit
    redactor = PiiRedactor()
    step = max(size, 100) if size == 1 else size
    chunks = [text[at : at + step] for at in range(0, len(text), step)]
    redacted = "".join(redactor.stream().through(chunks))
    assert redacted == redactor.redact_text(text)
    assert "zoe@" not in redacted


def test_what_is_not_cut_at_a_safe_place_is_redacted_as_a_whole() -> None:
    card = "4111111111111111"
    text = "7" * (65_536 - 8) + card + " ok"
    assert card not in PiiRedactor().redact_text(text)


def test_a_redactor_that_is_never_told_to_forget_stays_small() -> None:
    redactor = PiiRedactor()
    for number in range(10_001):
        redactor.know(f"call-{number}", ["Quentin Zyx"])
    assert redactor.redact_text("Zyx", call="call-0") == "Zyx"
    assert redactor.redact_text("Zyx", call="call-10000") == "[KNOWN]"


def test_what_is_replaced_is_counted_by_kind_and_never_shown():
    told = Counter[str]()
    redactor = PiiRedactor(observe=lambda kind: told.update([kind]))

    redactor.redact_text("write to zoe@example.org or max@example.org from 203.0.113.9")
    redactor.redact({"note": "nothing to see"})

    assert told == {"EMAIL": 2, "IP": 1}


def test_what_stands_in_the_name_of_a_member_is_redacted_and_no_member_is_lost():
    redactor = PiiRedactor()
    redactor.know("c", ["Marianne"])

    told = redactor.redact({"zoe@example.org": 1, "max@example.org": 2, "4111 1111 1111 1111": 3, "user_id": 4})

    assert told == {"[EMAIL]": 1, "[EMAIL] (2)": 2, "[CARD]": 3, "user_id": 4}
    assert "Marianne" not in json.dumps(redactor.redact({"Marianne": "here"}, call="c"))
