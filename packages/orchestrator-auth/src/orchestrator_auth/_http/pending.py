"""What a request still has to be asked before its answer may leave."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

PENDING: Final = "auth_pending"
"""Where it stands on the scope."""


@dataclass(slots=True)
class Pending:
    """The permission that the handler has to ask for with the tenant; empty when there is none, or it did."""

    permission: str = ""
