"""Keeping what was entered out of what is said about it.

pydantic's errors carry the input, and the text of a validator may repeat it. `cleaned` makes the same error without either.
"""

from __future__ import annotations

import base64
import json
import re
import urllib.parse
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final, get_args

from pydantic import ValidationError
from pydantic_core import PydanticCustomError
from pydantic_core.core_schema import ErrorType

from orchestrator_config._shape import MISSING, Shape, locate
from orchestrator_config._walk import is_array, is_secret, is_table, key_text, members

if TYPE_CHECKING:
    from pydantic_core import InitErrorDetails

_PIECE: Final = 12
"""How many characters of a secret in a row are too many to show."""

WITHHELD: Final = "was refused; the reason is withheld because it repeats a secret"

# The kinds of pydantic's own errors whose text may hold a piece of the input.
_echoing: Final = frozenset(
    {
        "assertion_error", "bytes_invalid_encoding", "date_from_datetime_parsing", "date_parsing", "datetime_from_date_parsing",
        "datetime_object_invalid", "datetime_parsing", "get_attribute_error", "iteration_error", "json_invalid", "mapping_type",
        "time_delta_parsing", "time_parsing", "union_tag_invalid", "url_parsing", "url_syntax_violation", "uuid_parsing",
        "value_error",
    }
)  # fmt: skip
_authored: Final = {"value_error", "assertion_error"}
_measured: Final = re.compile(r"\w+ should have (at (?:least|most) \d+) items? after validation.*")
_static: Final = frozenset(get_args(ErrorType)) - _echoing


def cleaned(error: ValidationError, data: object, shape: Shape) -> ValidationError:
    """The same error without input, context and cause, and without any text that repeats a secret of `data`."""
    forms = {form for secret in secrets_in(data, shape) for form in _forms(secret)}
    details: list[InitErrorDetails] = []
    for each in error.errors(include_url=False, include_input=False):
        kind, reason, context = each["type"], each["msg"], each.get("ctx", {})
        if kind == "union_tag_invalid" and "expected_tags" in context:
            reason = f"its {context['discriminator']} should be one of {context['expected_tags']}"
        elif kind in _static:
            reason = _measured.sub(r"should have \1 characters", reason) if _is_secret(each["loc"], shape) else reason
        elif kind in _echoing - _authored and _is_secret(each["loc"], shape):
            reason = "is not valid"
        elif repeats(reason, forms):
            reason = WITHHELD
        # Without a context pydantic takes the text as it is, braces included.
        made = PydanticCustomError(kind, reason)  # pyright: ignore[reportArgumentType]
        details.append({"type": made, "loc": each["loc"], "input": None})
    return ValidationError.from_exception_data(error.title, details, hide_input=True)


def _is_secret(loc: tuple[int | str, ...], root: Shape) -> bool:
    path, parent = locate(loc, root)
    if not path:
        return False
    below = parent.array if isinstance(path[-1], int) else parent.below(path[-1])
    return below is not None and below.secret


def secrets_in(value: Any, shape: Shape) -> Iterator[str]:
    """Every text that stands at the place of a secret, and the secrets among the defaults of the models on the way."""
    if is_secret(value):
        value = value.get_secret_value()
    if shape.secret and isinstance(value, (str, bytes, int, float)):
        yield value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    for key, member in _inside(value):
        below = shape.array if isinstance(key, int) and shape.array else shape.below(key_text(key))
        # What stands under an unknown key may be a secret under a misspelt name.
        yield from _texts(member) if below is None else secrets_in(member, below)
    if is_table(value):
        for field in shape.fields.values():
            if field.default is not MISSING:
                yield from secrets_in(field.default, field.shape)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for _, member in _inside(value):
        yield from _texts(member)


def _inside(value: object) -> Iterable[tuple[Any, Any]]:
    if (known := members(value)) is not None:
        return known
    if is_table(value):
        return value.items()
    return enumerate(value) if is_array(value) else ()


def repeats(text: str, forms: Iterable[str]) -> bool:
    """Whether the text holds one of the forms, or a long piece of one, in upper or lower case."""
    folded = text.casefold()
    pieces = {folded[start : start + _PIECE] for start in range(len(folded) - _PIECE + 1)}
    return any(_holds(folded, form) or any(piece in form for piece in pieces) for form in forms)


def _holds(text: str, form: str) -> bool:
    # One to three characters stand inside of ordinary words all the time; only by themselves do they tell anything.
    if len(form) < 4:
        return re.search(rf"(?<!\w){re.escape(form)}(?!\w)", text) is not None
    return form in text


def _forms(secret: str) -> Iterator[str]:
    """The ways in which a program commonly writes the text."""
    data = secret.encode(errors="surrogatepass")
    written = {
        secret,
        secret.strip(),
        repr(secret)[1:-1],
        repr(data)[2:-1],
        ascii(secret)[1:-1],
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        urllib.parse.quote(data),
        urllib.parse.quote(data, safe=""),
        urllib.parse.quote_plus(data),
        base64.b64encode(data).decode().rstrip("="),
        base64.urlsafe_b64encode(data).decode().rstrip("="),
        data.hex(),
    }
    return (form.casefold() for form in written if form)
