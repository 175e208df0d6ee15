"""The base of the orchestrator's packages: errors, models, ports, lifecycle, dependencies and the HTTP client seam.

What the other packages share and nothing else: this package decides nothing about calls. Import the modules you need
(`orchestrator_kernel.models`, `.ports`, `.lifecycle`, `.dependencies`, `.http`, `.virtual_time`, `.contracts`); only the errors
are re-exported here.
"""

from orchestrator_kernel.exceptions import (
    AuthenticationError,
    AuthorizationError,
    CacheError,
    CircuitBreakerOpenError,
    ComplianceError,
    ConfigurationError,
    DatabaseError,
    ExternalServiceError,
    OrchestratorError,
    RateLimitError,
    SecurityError,
    ValidationError,
)

__all__ = [
    "AuthenticationError",
    "AuthorizationError",
    "CacheError",
    "CircuitBreakerOpenError",
    "ComplianceError",
    "ConfigurationError",
    "DatabaseError",
    "ExternalServiceError",
    "OrchestratorError",
    "RateLimitError",
    "SecurityError",
    "ValidationError",
]
