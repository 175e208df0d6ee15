"""The C code of `audioop`, where Python brings it (up to 3.12) or `audioop-lts` does (from 3.13): loaded when it is first asked for."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from functools import cache
from typing import Protocol, cast

__all__ = ["Audioop", "audioop"]


class Audioop(Protocol):
    """What is used of it; widths are bytes per sample."""

    lin2ulaw: Callable[[bytes, int], bytes]
    ulaw2lin: Callable[[bytes, int], bytes]
    lin2alaw: Callable[[bytes, int], bytes]
    alaw2lin: Callable[[bytes, int], bytes]
    rms: Callable[[bytes, int], int]
    max: Callable[[bytes, int], int]
    findfactor: Callable[[bytes, bytes], float]
    add: Callable[[bytes, bytes | bytearray, int], bytes]
    error: type[Exception]


@cache
def audioop() -> Audioop | None:
    """The module; None where there is none."""
    try:
        with warnings.catch_warnings():
            # It says that it leaves with 3.13; what is done then is written here.
            warnings.simplefilter("ignore", DeprecationWarning)
            return cast("Audioop", importlib.import_module("audioop"))
    except ImportError:
        return None
