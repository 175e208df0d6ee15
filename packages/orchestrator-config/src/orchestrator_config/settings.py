"""Loading settings: one frozen model from its defaults, files, the environment and secret references.

    settings = load(AppSettings, sources=[TomlFile("app.toml"), Environment(os.environ, prefix="APP_")])

Each source is laid over those before it. Tables are merged key by key; a value or an array replaces the one below it. Nothing is
read but what is passed in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, TypeVar

from orchestrator_config._display import redacted
from orchestrator_config._draft import draft
from orchestrator_config._loaded import ExplainedSetting, Loaded
from orchestrator_config._model import Settings
from orchestrator_config._report import Origin, SettingsError, SettingsProblem, SettingsWarning
from orchestrator_config._sources import Environment, Source, TomlFile, Values
from orchestrator_kernel.exceptions import OrchestratorError

if TYPE_CHECKING:
    from pydantic import SecretStr

    from orchestrator_kernel.ports import SecretReader

__all__ = [
    "Environment",
    "ExplainedSetting",
    "Loaded",
    "Origin",
    "Settings",
    "SettingsError",
    "SettingsProblem",
    "SettingsWarning",
    "Source",
    "TomlFile",
    "Values",
    "load",
    "load_async",
    "redacted",
]

M = TypeVar("M", bound=Settings)


def load(
    model: type[M],
    *,
    sources: Iterable[Source] = (),
    aliases: Mapping[str, str] | None = None,
    secrets: Callable[[str], SecretStr] | None = None,
) -> Loaded[M]:
    """Load settings. Blocks while files are read.

    Where the model declares a secret, the text may refer to it: `file:/path` (without the final line break), `env:NAME`,
    `secret:NAME`; `literal:` before a secret that looks like one of these.

    Args:
        model: What the settings are; its defaults lie under all sources.
        sources: Each is laid over those before it.
        aliases: Old names of environment variables and the paths they now stand for. They work, with a warning.
        secrets: Answers `secret:NAME`.

    Raises:
        SettingsError: Some settings are wrong; names all of them.
        ConfigurationError: The model or the aliases themselves are wrong.
    """
    made = draft(model, sources, aliases or {})
    result = made.finish({wanted.name: _ask(secrets, wanted.name) for wanted in made.wanted})
    if isinstance(result, SettingsError):
        raise result
    return result


async def load_async(
    model: type[M],
    *,
    sources: Iterable[Source] = (),
    aliases: Mapping[str, str] | None = None,
    secrets: SecretReader,
) -> Loaded[M]:
    """`load` with an asynchronous secret store; files are read in a thread."""
    import asyncio  # noqa: PLC0415 - only where a loop runs

    made = await asyncio.to_thread(draft, model, sources, aliases or {})
    result = made.finish({wanted.name: await _ask_async(secrets, wanted.name) for wanted in made.wanted})
    if isinstance(result, SettingsError):
        raise result
    return result


def _ask(secrets: Callable[[str], SecretStr] | None, name: str) -> SecretStr | str:
    if secrets is None:
        return f"refers to secret:{name}, and no secret store is given"
    try:
        return secrets(name)
    except Exception as error:  # noqa: BLE001 - becomes a problem; its text may hold a secret
        return _unavailable(name, error)


async def _ask_async(secrets: SecretReader, name: str) -> SecretStr | str:
    try:
        return await secrets.read(name)
    except Exception as error:  # noqa: BLE001 - becomes a problem; its text may hold a secret
        return _unavailable(name, error)


def _unavailable(name: str, error: Exception) -> str:
    code = f" ({error.code})" if isinstance(error, OrchestratorError) else ""
    return f"refers to secret:{name}, which could not be read: {type(error).__name__}{code}"
