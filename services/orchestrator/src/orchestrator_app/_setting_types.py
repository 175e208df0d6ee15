"""Forms that settings share."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

__all__ = ["AccountSid", "Language", "Number", "Seconds", "ToolName"]

Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]
Number = Annotated[str, StringConstraints(pattern=r"^\+[1-9][0-9]{1,14}$")]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
AccountSid = Annotated[str, StringConstraints(pattern=r"^AC[0-9a-fA-F]{32}$")]
ToolName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")]
