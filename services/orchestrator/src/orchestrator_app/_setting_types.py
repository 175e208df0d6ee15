"""Forms that settings share."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import AfterValidator, Field, StringConstraints

__all__ = ["AccountSid", "Language", "Number", "Seconds", "ToolName"]

_LANGUAGE: Final = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_NUMBER: Final = re.compile(r"\+[1-9][0-9]{1,14}")


def _language(value: str) -> str:
    if not _LANGUAGE.fullmatch(value):
        raise ValueError("is no language tag such as de or de-DE")
    return value


def _number(value: str) -> str:
    if not _NUMBER.fullmatch(value):
        raise ValueError("is no telephone number such as +4930901820: +, country code and digits alone")
    return value


Language = Annotated[str, AfterValidator(_language), Field(json_schema_extra={"pattern": f"^{_LANGUAGE.pattern}$"})]
Number = Annotated[str, AfterValidator(_number), Field(json_schema_extra={"pattern": f"^{_NUMBER.pattern}$"})]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
AccountSid = Annotated[str, StringConstraints(pattern=r"^AC[0-9a-fA-F]{32}$")]
ToolName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")]
