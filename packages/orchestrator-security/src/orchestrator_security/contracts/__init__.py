"""What every implementation of this package's protocols promises, as test suites to subclass."""

from orchestrator_security.contracts.deliveries import DeliveryStoreContract

__all__ = ["DeliveryStoreContract"]
