"""From files to a script."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from orchestrator_calls.dialogue._checks import check_shape
from orchestrator_calls.dialogue._ears import build_ears
from orchestrator_calls.dialogue._errors import ScriptError, ScriptProblem
from orchestrator_calls.dialogue._lexicon import build_lexicons
from orchestrator_calls.dialogue._model import Value
from orchestrator_calls.dialogue._nodes import Document
from orchestrator_calls.dialogue._read import Draft, read_parts, read_settings
from orchestrator_calls.dialogue._rivals import check_patterns
from orchestrator_calls.dialogue._script import Script, value_problems

__all__ = ["load_script", "parse_script"]

_COMMON = "common.toml"
_DEFAULT = "receptionist.toml"


def load_script(path: Path | str | None = None, *, values: Mapping[str, Value] | None = None) -> Script:
    """Read, check and compile a script; without `path` the receptionist that comes with the package.

    Takes up to a second: load once, at start, and give each tenant its own values by `Script.with_values`.

    Args:
        path: A TOML file in UTF-8.
        values: Replaces entries of the script's `[values]`, such as the name of the house.

    Raises:
        ScriptError: The file cannot be read, or something in it is wrong; all problems, each with its line.
    """
    if path is None:
        source = _DEFAULT
        data = resources.files("orchestrator_calls").joinpath("scripts", _DEFAULT).read_bytes()
    else:
        source = str(path)
        try:
            data = Path(path).read_bytes()
        except OSError as error:
            raise ScriptError.of([ScriptProblem(source, 1, f"the file cannot be read: {error.strerror}")]) from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ScriptError.of([ScriptProblem(source, line, "the file is not UTF-8")]) from error
    return parse_script(text, source, values=values)


def parse_script(text: str, source: str = "script", *, values: Mapping[str, Value] | None = None) -> Script:
    """Like `load_script`, for a text at hand; `source` is its name in errors."""
    document = Document(text, source)
    settings = read_settings(document)
    if settings is None:
        raise ScriptError.of(document.problems)
    lexicons = build_lexicons(settings.languages)
    draft = Draft()
    common = Document(resources.files("orchestrator_calls.dialogue").joinpath(_COMMON).read_text("utf-8"), _COMMON)
    read_parts(common, draft, lexicons, settings.handoff, built_in=True)
    read_parts(document, draft, lexicons, settings.handoff, built_in=False)
    problems = [*common.problems, *document.problems, *value_problems(draft.values, values or {}, source)]
    draft.values.update(values or {})
    problems.extend(check_shape(settings, draft))
    ears = {
        tag: build_ears(lexicon, tag, draft.intents.values(), draft.forms, draft.menus)
        for tag, lexicon in lexicons.items()
    }
    problems.extend(check_patterns(draft, ears))
    if problems:
        raise ScriptError.of(problems)
    return Script(
        source=source,
        settings=settings,
        texts=draft.texts,
        reasons=draft.reasons,
        intents=draft.intents,
        forms=draft.forms,
        menus=draft.menus,
        values=draft.values,
        ears=ears,
    )
