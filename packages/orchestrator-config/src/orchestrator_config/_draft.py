"""From sources to a model, up to the one step that may have to wait: asking a secret store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from pydantic import SecretStr, ValidationError

from orchestrator_config._faults import require_sound
from orchestrator_config._fit import Findings
from orchestrator_config._layers import Branch, Node, merge, raw_of, with_defaults
from orchestrator_config._loaded import Loaded, loaded
from orchestrator_config._model import Settings
from orchestrator_config._paths import SettingPath, nearest, render_path
from orchestrator_config._problems import note_crash, note_errors
from orchestrator_config._references import Wanted, resolve
from orchestrator_config._report import SettingsError
from orchestrator_config._shape import Shape, group_shape, static_paths
from orchestrator_config._sources import Environment, Source, read_source, require_sources, shape_at
from orchestrator_config._variables import variable_for
from orchestrator_kernel.exceptions import ConfigurationError

M = TypeVar("M", bound=Settings)


@dataclass(frozen=True, slots=True)
class Draft(Generic[M]):
    """Everything that was read. Its representation shows no value.

    Attributes:
        model: The model to make.
        wanted: The secrets that a secret store must answer.
    """

    model: type[M]
    wanted: list[Wanted] = field(repr=False)
    _shape: Shape = field(repr=False)
    _tree: Node = field(repr=False)
    _prefix: str = field(repr=False)
    _findings: Findings = field(repr=False)

    def finish(self, answers: Mapping[str, SecretStr | str]) -> Loaded[M] | SettingsError:
        """The settings, or everything that is wrong with them.

        Args:
            answers: For each wanted secret its value, or as plain text the reason why there is none.
        """
        for each in self.wanted:
            answer = answers[each.name]
            if isinstance(answer, SecretStr):
                each.value.raw = answer.get_secret_value()
            else:
                each.value.raw = None
                self._findings.drop(each.path, each.value.origin, answer)
        made = None if self._findings.incomplete else self._validate()
        if made is None or self._findings.problems:
            problems = sorted(self._findings.problems, key=lambda each: (render_path(each[0]), each[1].source))
            return SettingsError(dict.fromkeys(problem for _, problem in problems))
        return loaded(made, self._tree, tuple(self._findings.warnings))

    def _validate(self) -> M | None:
        try:
            return self.model.model_validate(raw_of(self._tree))
        except ValidationError as error:
            note_errors(error, self._shape, self._tree, self._findings, lambda path: variable_for(path, self._prefix))
        except Exception as error:  # noqa: BLE001 - a validator's own failure may hold a secret; it becomes a problem
            note_crash(error, self._findings)
        return None


def draft(model: type[M], sources: Iterable[Source], aliases: Mapping[str, str]) -> Draft[M]:
    """Read all sources and resolve what needs no secret store.

    Raises:
        ConfigurationError: The model or the aliases cannot be used with any source.
    """
    require_sound(model)
    shape, given, findings = group_shape(model), tuple(sources), Findings()
    require_sources(given)
    old_names = _alias_paths(aliases, shape)
    tree: Node = Branch()
    for source in given:
        layer = read_source(source, shape, tree, old_names, findings)
        tree = tree if layer is None else merge(tree, layer)
    tree = with_defaults(tree, shape)
    environments = [source for source in given if isinstance(source, Environment)]
    wanted = resolve(tree, shape, [each.variables for each in environments], findings)
    findings.problems.extend(
        problem for name, problem in findings.unknown_variables.items() if name not in findings.referenced
    )
    return Draft(model, wanted, shape, tree, environments[-1].prefix if environments else "", findings)


def _alias_paths(aliases: Mapping[str, str], shape: Shape) -> dict[str, SettingPath]:
    by_text = {render_path(path): path for path in static_paths(shape)}
    found = {old: _alias_path(text, by_text, shape) for old, text in aliases.items()}
    unknown = [f"{old} = {aliases[old]}" for old, path in found.items() if path is None]
    if unknown:
        near = nearest(unknown[0].partition(" = ")[2], by_text)
        hint = f"; the nearest setting to the first is {near}" if near else ""
        raise ConfigurationError(
            f"aliases for settings that do not exist: {', '.join(unknown)}{hint}", code="alias_unknown"
        )
    return {old: path for old, path in found.items() if path is not None}


def _alias_path(text: str, by_text: Mapping[str, SettingPath], shape: Shape) -> SettingPath | None:
    """A setting, or a member of a table whose members are free to name."""
    if text in by_text:
        return by_text[text]
    table, _, member = text.rpartition(".")
    path = by_text.get(table)
    return (*path, member) if path is not None and member and shape_at(path, shape).table is not None else None
