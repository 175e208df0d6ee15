"""What every service around a voice call needs at its edges: correlation, problem documents, structured logging.

The names below are loaded when they are first used, so that `import orchestrator_utils` costs next to nothing. The speech client
lives in `orchestrator_utils.tts_client` and is imported from there.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator_utils.correlation import (
        CORRELATION_HEADER,
        Correlation,
        CorrelationMiddleware,
        bind,
        current,
        outgoing_headers,
    )
    from orchestrator_utils.error_handler import (
        ErrorMiddleware,
        ProblemConfig,
        install,
        problem_responses,
        problem_type,
    )
    from orchestrator_utils.logging_adapter import EventLogger, LogConfig, configure, get_logger

__all__ = [
    "CORRELATION_HEADER",
    "Correlation",
    "CorrelationMiddleware",
    "ErrorMiddleware",
    "EventLogger",
    "LogConfig",
    "ProblemConfig",
    "bind",
    "configure",
    "current",
    "get_logger",
    "install",
    "outgoing_headers",
    "problem_responses",
    "problem_type",
]


def __getattr__(name: str) -> object:
    if name in __all__:
        # The one that costs most comes last: it brings pydantic along.
        for module in ("correlation", "logging_adapter", "error_handler"):
            found = getattr(import_module(f"{__name__}.{module}"), name, None)
            if found is not None:
                return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
