"""The hotel system's door: who may tell of reservations, from where, and each delivery once over all processes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from orchestrator_app.composition.database import Databases
from orchestrator_app.composition.secrets_expiry import sender_secret
from orchestrator_app.composition.webhooks import NobodyVerifier
from orchestrator_app.settings import AppSettings
from orchestrator_kernel.ports import Clock, WebhookRequest, WebhookSender, WebhookVerifier
from orchestrator_security.delivery_store import Deliveries, json_id
from orchestrator_security.sql_delivery_store import SqlDeliveryStore
from orchestrator_security.webhook_security import AddressRule, HmacScheme, HmacVerifier

__all__ = ["HOTEL_SCHEME", "HotelDoor", "make_hotel_door"]

HOTEL_SCHEME: Final = HmacScheme(prefix="sha256=")
"""How the hotel system signs: hex HMAC-SHA256 over `timestamp.body`, in X-Webhook-Signature and X-Webhook-Timestamp."""


@dataclass(frozen=True, slots=True)
class HotelDoor:
    """Who verifies the hotel system, and what it has delivered already."""

    verifier: WebhookVerifier
    deliveries: Deliveries
    store: SqlDeliveryStore
    addresses: AddressRule | None

    def verify(self, request: WebhookRequest, peer: str) -> WebhookSender:
        """The sender of a request.

        Args:
            request: As it arrived.
            peer: The client's address.

        Raises:
            WebhookRefused: It is not proved, or comes from an address that is not the hotel system's.
        """
        if self.addresses is not None:
            self.addresses.require(peer, request.headers)
        return self.verifier.verify(request)


@dataclass(frozen=True, slots=True)
class At:
    """A door as seen from one address: the kernel's `WebhookVerifier`."""

    door: HotelDoor
    peer: str

    def verify(self, request: WebhookRequest) -> WebhookSender:
        return self.door.verify(request, self.peer)


def make_hotel_door(settings: AppSettings, databases: Databases, clock: Clock) -> HotelDoor:
    """The door as the settings say."""
    own = settings.hotel_events
    ring = [sender_secret(settings, "hotel", name, secret) for name, secret in own.secrets.items()]
    verifier: WebhookVerifier = (
        HmacVerifier(HOTEL_SCHEME, ring, clock=clock, source="hotel", max_body=settings.server.max_body)
        if ring
        else NobodyVerifier("no secret of the hotel system is configured")
    )
    store = SqlDeliveryStore(databases.data)
    deliveries = Deliveries(store, clock=clock, id_of=json_id("id"), retention=timedelta(days=own.remember_days))
    # The peer is the client already: `ClientAddress` stands in front of all routes.
    addresses = AddressRule(own.addresses) if own.addresses else None
    return HotelDoor(verifier, deliveries, store, addresses)
