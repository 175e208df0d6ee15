"""Settings that were loaded, and what is known about them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from orchestrator_config._canonical import digest, keyed_digest
from orchestrator_config._display import rendered
from orchestrator_config._layers import Node, at
from orchestrator_config._model import Settings
from orchestrator_config._paths import SettingPath, nearest, render_path
from orchestrator_config._report import DEFAULT, Origin, SettingsWarning
from orchestrator_config._walk import is_array, is_set, is_table, key_text, members
from orchestrator_kernel.exceptions import ConfigurationError

M = TypeVar("M", bound=Settings)


@dataclass(frozen=True, slots=True)
class ExplainedSetting:
    """One setting as it may be shown.

    Attributes:
        path: For example `database.pool_size`.
        shown: The value as JSON text, secrets hidden.
        origin: Where it came from.
    """

    path: str
    shown: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class Loaded(Generic[M]):
    """Settings, and where they came from.

    Attributes:
        value: The model.
        warnings: What works and should be written otherwise; for the log.
        digest: `sha256:` and a hash of the values. Equal values have equal digests, whatever their source and order. Secrets and
            the passwords of URLs take no part in it, so it can be published; `keyed_digest` also tells a changed secret.
    """

    value: M
    warnings: tuple[SettingsWarning, ...]
    digest: str
    _rows: tuple[ExplainedSetting, ...] = field(repr=False)

    def explain(self) -> tuple[ExplainedSetting, ...]:
        """Every setting, secrets hidden, in the order of the model."""
        return self._rows

    def origin(self, path: str) -> Origin:
        """Where the value at a path came from. An element of an array shares the origin of the array.

        Raises:
            ConfigurationError: The path is unknown, or names a group whose settings came from several places.
        """
        within = {row.origin for row in self._rows if _covers(path, row.path) or _covers(row.path, path)}
        if len(within) == 1:
            return within.pop()
        if within:
            raise ConfigurationError(
                f"{path} came from several places: ask for the settings in it", code="setting_is_group"
            )
        near = nearest(path, (row.path for row in self._rows))
        hint = f"; did you mean {near}?" if near else ""
        raise ConfigurationError(f"there is no setting {path}{hint}", code="setting_unknown")

    def keyed_digest(self, key: bytes) -> str:
        """`hmac-sha256:` and a hash of the values, secrets included. Without the key it says nothing about a secret.

        Args:
            key: At least 16 bytes, as random as a password must be.

        Raises:
            ConfigurationError: The key is too short.
        """
        if len(key) < 16:
            raise ConfigurationError("the key of a digest must have at least 16 bytes")
        return keyed_digest(self.value, key)


def loaded(value: M, tree: Node, warnings: tuple[SettingsWarning, ...]) -> Loaded[M]:
    """Bring a valid model together with the tree it was made of."""
    rows = [
        ExplainedSetting(render_path(path), rendered(leaf), _origin(at(tree, path))) for path, leaf in leaves(value, ())
    ]
    return Loaded(value, warnings, digest(value), tuple(rows))


def leaves(value: Any, path: SettingPath) -> Iterator[tuple[SettingPath, object]]:
    """The paths and values of everything that is no group: an array of plain values is one leaf, and so is an empty table."""
    inside: list[tuple[str | int, Any]] = []
    if (known := members(value)) is not None:
        inside = [*known]
    elif is_table(value):
        inside = [(key_text(key), member) for key, member in value.items()]
    elif is_array(value) and not is_set(value) and any(members(each) or is_table(each) for each in value):
        inside = [*enumerate(value)]
    if not inside:
        yield path, value
    for step, member in inside:
        yield from leaves(member, (*path, step))


def _origin(node: Node | None) -> Origin:
    return DEFAULT if node is None else node.origin


def _covers(path: str, other: str) -> bool:
    return other == path or other.startswith((f"{path}.", f"{path}["))
