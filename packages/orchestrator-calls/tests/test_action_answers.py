"""What an endpoint's answer means: done and refused only where it says so."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_calls._action_answers import MAX_DATA, is_retryable, outcome_of
from orchestrator_calls._addresses import AddressRefused, checked_address
from orchestrator_calls.actions import ActionOutcome, ActionStatus

DONE, REFUSED, UNCONFIRMED = ActionStatus.DONE, ActionStatus.REFUSED, ActionStatus.UNCONFIRMED


def told(status: int, value: object, content_type: str = "application/json") -> ActionOutcome:
    return outcome_of(status, content_type, value if isinstance(value, bytes) else json.dumps(value).encode())


@pytest.mark.parametrize(
    ("status", "value", "expected", "reason"),
    [
        (200, {"status": "done"}, DONE, ""),
        (201, {"status": "done", "reason": "ok"}, DONE, "ok"),
        (200, {"status": "refused", "reason": "fully_booked"}, REFUSED, "fully_booked"),
        (409, {"status": "refused", "reason": "fully_booked"}, REFUSED, "fully_booked"),
        (422, {"status": "refused"}, REFUSED, ""),
        (404, {"error": "not found"}, UNCONFIRMED, "status_404"),
        (409, {"status": "done"}, UNCONFIRMED, "status_409"),
        (500, {"status": "done"}, UNCONFIRMED, "status_500"),
        (503, {"status": "refused"}, UNCONFIRMED, "status_503"),
        (302, {"status": "done"}, UNCONFIRMED, "redirected"),
        (200, {}, UNCONFIRMED, "no_status"),
        (202, b"", UNCONFIRMED, "no_json"),
        (200, {"status": "perhaps"}, UNCONFIRMED, "no_status"),
        (200, {"status": True}, UNCONFIRMED, "no_status"),
        (200, ["done"], UNCONFIRMED, "no_json"),
        (200, b"done", UNCONFIRMED, "no_json"),
        (200, b'{"status": "done"', UNCONFIRMED, "no_json"),
        (200, b"\xff\xfe", UNCONFIRMED, "no_json"),
        (200, b"[" * 50_000, UNCONFIRMED, "no_json"),
    ],
)
def test_an_answer_means_what_it_says(status: int, value: object, expected: ActionStatus, reason: str) -> None:
    outcome = told(status, value)
    assert (outcome.status, outcome.reason) == (expected, reason)


@pytest.mark.parametrize("content_type", ["text/html", "", "text/plain; charset=utf-8", "application/octet-stream"])
def test_an_answer_of_another_type_is_not_read(content_type: str) -> None:
    assert told(200, {"status": "done"}, content_type).status is UNCONFIRMED


def test_what_there_is_to_tell_comes_with_it() -> None:
    outcome = told(200, {"status": "done", "data": {"number": "H-417"}}, "application/vnd.pms+json; charset=utf-8")
    assert outcome.data == {"number": "H-417"}


@pytest.mark.parametrize(
    "body",
    [
        b'{"status": "done", "data": {"number": NaN}}',
        b'{"status": "done", "data": [1]}',
        json.dumps({"status": "done", "data": {"text": "a" * MAX_DATA}}).encode(),
        b'{"status": "done", "data": {"text": "\\ud800"}}',
    ],
)
def test_data_that_the_journal_cannot_hold_is_left_out(body: bytes) -> None:
    assert told(200, body).data == {}


def test_a_reason_is_short_and_one_line() -> None:
    assert told(200, {"status": "refused", "reason": "a\nb" + "c" * 500}).reason == "a b" + "c" * 97


@given(st.integers(100, 599), st.text(max_size=30), st.binary(max_size=200))
def test_nothing_is_done_unless_a_success_says_so(status: int, content_type: str, body: bytes) -> None:
    outcome = outcome_of(status, content_type, body)
    assert outcome.status is UNCONFIRMED or b"status" in body


@pytest.mark.parametrize(
    ("status", "again"), [(408, True), (425, True), (429, True), (500, True), (503, True), (501, False), (404, False)]
)
def test_what_may_be_tried_again(status: int, again: bool) -> None:
    assert is_retryable(status) is again


async def test_one_private_address_among_public_ones_is_refused() -> None:
    async def find(host: str, port: int) -> list[str]:
        return ["93.184.215.14", "10.0.0.1"]

    with pytest.raises(AddressRefused):
        await checked_address("pms.example", 443, private=(), find=find)
    assert await checked_address("PMS.example.", 443, private={"pms.example"}, find=find) == "93.184.215.14"


async def test_a_host_without_an_address_is_an_error() -> None:
    async def find(host: str, port: int) -> list[str]:
        return []

    with pytest.raises(OSError, match="no address"):
        await checked_address("pms.example", 443, private=(), find=find)
