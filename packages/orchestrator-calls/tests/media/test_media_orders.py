"""Where a call goes when its stream ends."""

from __future__ import annotations

from calls_support import event

from orchestrator_calls.events import Event
from orchestrator_calls.legs.media_orders import last_leg_seconds, pending_order
from orchestrator_calls.legs.twilio import Handoff

OPENED = event("turn_opened", 1)


def told(*events: Event) -> Handoff | None:
    return pending_order([OPENED, *events])


def test_an_order_to_hang_up_or_to_transfer_is_found():
    assert told(event("command_sent", 2, key="hang_up/t1")) == Handoff(reason_code="hang_up", key="hang_up/t1")
    transfer = event("transfer_requested", 3, key="transfer/t1", target="operator", reason="asked")
    expected = Handoff(reason_code="transfer", target="operator", reason="asked", key="transfer/t1")
    assert told(event("command_sent", 2, key="transfer/t1"), transfer, event("leg_detached", 4)) == expected


def test_a_stream_that_broke_has_no_order():
    assert pending_order([]) is None
    assert told(event("leg_detached", 2)) is None
    assert told(event("command_sent", 2, key="hang_up/t1"), event("turn_opened", 3)) is None, "the caller spoke again"


def test_a_transfer_that_failed_is_not_ordered_again():
    transfer = event("transfer_requested", 3, key="transfer/t1", target="operator")
    assert told(transfer, event("transfer_failed", 4, key="transfer/t1"), event("leg_detached", 5)) is None


def test_the_last_leg_is_measured():
    assert last_leg_seconds([OPENED]) is None
    legs = [event("leg_attached", 2), event("leg_detached", 3), event("leg_attached", 10), event("leg_detached", 75)]
    assert last_leg_seconds(legs) == 65
    assert last_leg_seconds([*legs, event("leg_attached", 80), event("dtmf", 82)]) == 2
