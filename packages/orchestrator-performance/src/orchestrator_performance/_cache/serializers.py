"""How values become bytes for the second level. Never pickle: whoever can write to the store would run code here."""

from __future__ import annotations

import json
from importlib import import_module
from typing import Any, Generic, Protocol, TypeVar, cast, overload

from orchestrator_kernel.exceptions import CacheError, ConfigurationError

__all__ = ["BytesSerializer", "JsonSerializer", "MsgpackSerializer", "NotSerializable", "Serializer"]

V = TypeVar("V")


class NotSerializable(CacheError):
    """The value, or the bytes, cannot be turned into the other."""

    default_code = "not_serializable"
    default_retryable = False


class Serializer(Protocol[V]):
    """Turns values into bytes and back."""

    @property
    def name(self) -> str:
        """Stands with every value, so that bytes of another serializer are not read."""
        ...

    def dumps(self, value: V) -> bytes:
        """The value in bytes.

        Raises:
            NotSerializable: It has none.
        """
        ...

    def loads(self, data: bytes) -> V:
        """The value of these bytes.

        Raises:
            NotSerializable: They hold none.
        """
        ...


class BytesSerializer:
    """Bytes as they are."""

    name = "bytes"

    def dumps(self, value: bytes) -> bytes:
        if not isinstance(value, bytes):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise NotSerializable(f"a cache of bytes was given a value of the type {type(value).__qualname__}")
        return value

    def loads(self, data: bytes) -> bytes:
        return data


class JsonSerializer(Generic[V]):
    """JSON; with a type, whatever pydantic can write and read for it: dataclasses, models, dates.

    Args:
        kind: The values' type; without one they are what the standard library's `json` knows.
    """

    name = "json"

    @overload
    def __init__(self: JsonSerializer[Any]) -> None: ...
    @overload
    def __init__(self, kind: type[V]) -> None: ...
    def __init__(self, kind: type[V] | None = None) -> None:
        self._adapter: Any = None
        if kind is not None:
            # The kernel brings pydantic along; it is loaded only where a type is given.
            self._adapter = import_module("pydantic").TypeAdapter(kind)

    def dumps(self, value: V) -> bytes:
        try:
            if self._adapter is not None:
                return cast("bytes", self._adapter.dump_json(value, warnings="error"))
            return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise NotSerializable(f"the value cannot be written as JSON: {type(error).__name__}") from None

    def loads(self, data: bytes) -> V:
        try:
            return cast("V", self._adapter.validate_json(data) if self._adapter is not None else json.loads(data))
        except (ValueError, RecursionError):
            # The error quotes the value.
            raise NotSerializable("the bytes are not the JSON of such a value") from None


class MsgpackSerializer:
    """MessagePack (extra `[msgpack]`): numbers, strings, bytes, lists and maps.

    Raises:
        ConfigurationError: The extra is not installed.
    """

    name = "msgpack"

    def __init__(self) -> None:
        try:
            self._msgpack: Any = import_module("msgpack")
        except ModuleNotFoundError as error:
            raise ConfigurationError(
                "MessagePack needs the extra: install orchestrator-performance[msgpack]"
            ) from error

    def dumps(self, value: object) -> bytes:
        try:
            return cast("bytes", self._msgpack.packb(value, use_bin_type=True))
        except (TypeError, ValueError, OverflowError) as error:
            raise NotSerializable(f"the value cannot be written as MessagePack: {type(error).__name__}") from None

    def loads(self, data: bytes) -> Any:
        try:
            return self._msgpack.unpackb(data, raw=False, strict_map_key=False)
        except (ValueError, self._msgpack.exceptions.UnpackException):
            raise NotSerializable("the bytes are no MessagePack") from None
