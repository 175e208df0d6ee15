"""The small values that every layer speaks of."""

from datetime import UTC, datetime, timedelta, timezone

import pydantic
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator_kernel.exceptions import ValidationError
from orchestrator_kernel.models import (
    AuditEvent,
    Identifier,
    Outcome,
    Problem,
    Severity,
    Tenant,
    require_aware,
    require_identifier,
)

IDENTIFIERS = pydantic.TypeAdapter(Identifier)
NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
STANDARD = ["type", "title", "status", "detail", "instance", "code", "correlation_id"]


@pytest.mark.parametrize("value", ["a", "7", "call-1", "4930+12345", "tenant:eu.west_1@x", "x" * 128])
def test_identifiers(value):
    assert require_identifier(value, "id") == value


@pytest.mark.parametrize(
    "value", ["", "-a", "+4930", "a b", "a/b", "../a", "a\n", "ä", "a\x00", "x" * 129, "a\u2028", "a%2f"]
)
def test_what_is_no_identifier(value):
    with pytest.raises(ValidationError, match="call id") as caught:
        require_identifier(value, "call id")
    assert caught.value.details == {"field": "call id"}


@given(st.text(max_size=140) | st.from_regex(r"[A-Za-z0-9_.:@+\-\n]{0,130}", fullmatch=True))
@example("a\n")
@example("a\r")
def test_function_and_annotation_agree_on_what_an_identifier_is(value):
    try:
        by_function = require_identifier(value, "id") == value
    except ValidationError:
        by_function = False
    try:
        by_annotation = IDENTIFIERS.validate_python(value) == value
    except pydantic.ValidationError:
        by_annotation = False
    assert by_function == by_annotation


def test_a_time_without_an_offset_is_refused():
    assert require_aware(NOON, "at") == NOON
    assert require_aware(NOON.astimezone(timezone(timedelta(hours=5))), "at") == NOON
    with pytest.raises(ValidationError, match="occurred_at"):
        require_aware(datetime(2030, 1, 1, 12), "occurred_at")  # noqa: DTZ001 - the point of the test


def audit_event(**changes):
    values = {
        "id": "e1",
        "type": "auth.login.failure",
        "occurred_at": NOON,
        "actor": "anonymous",
        "action": "login",
        "outcome": Outcome.DENIED,
    }
    return AuditEvent(**{**values, **changes})


def test_an_audit_event_refuses_what_could_forge_a_log_line():
    assert audit_event().severity is Severity.LOW
    for changes in ({"id": "e1\nfake"}, {"type": "auth login"}, {"occurred_at": NOON.replace(tzinfo=None)}):
        with pytest.raises(ValidationError):
            audit_event(**changes)


def test_a_tenant_has_an_identifier():
    assert Tenant("hotel-1").name == ""
    with pytest.raises(ValidationError, match="tenant id"):
        Tenant("Hotel Eins")


def test_enumerations_are_their_words():
    assert f"{Outcome.SUCCESS} {Severity.CRITICAL}" == "success critical"


def test_a_problem_leaves_out_what_is_empty():
    problem = Problem(title="Not found", status=404, code="not_found", detail="no such call")
    assert list(problem.as_dict().items()) == [
        ("type", "about:blank"),
        ("title", "Not found"),
        ("status", 404),
        ("detail", "no such call"),
        ("code", "not_found"),
    ]


@given(
    members=st.fixed_dictionaries({}, optional={name: st.text(max_size=5) for name in STANDARD if name != "status"}),
    extensions=st.dictionaries(st.sampled_from([*STANDARD, "retry_after", "field"]), st.text(max_size=5)),
)
def test_an_extension_never_stands_for_a_standard_member(members, extensions):
    problem = Problem(**{"title": "T", "code": "c", **members}, status=400, extensions=extensions)
    document = problem.as_dict()
    for name in STANDARD:
        assert document.get(name, "") == getattr(problem, name)
    assert {name: document[name] for name in document if name not in STANDARD} == {
        name: value for name, value in extensions.items() if name not in STANDARD
    }
    assert [name for name in document if name in STANDARD] == [name for name in STANDARD if name in document]
