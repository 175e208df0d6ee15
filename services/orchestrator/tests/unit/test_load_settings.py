"""Tenants as the commands load them: from a settings file and the environment."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orchestrator_app.cli._settings import load_settings
from orchestrator_app.settings import PREFIX, TenantSettings
from orchestrator_config import SettingsError

MACHINE = "You are speaking with a machine, not with a person."


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Commands run in this folder, without settings in the environment."""
    for name in [each for each in os.environ if each.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def tenants(text: str = "", file: str = "orchestrator.toml") -> dict[str, TenantSettings]:
    """The tenants that a settings file of this text gives."""
    Path(file).parent.mkdir(exist_ok=True)
    Path(file).write_text(text)
    return dict(load_settings(Path(file)).value.tenants)


# --- one sentence is enough ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("member", ["disclosure", "consent"])
def test_one_sentence_may_be_written_alone(member: str) -> None:
    own = tenants(f'[tenants.x.{member}]\nen = "{MACHINE}"\nde = ["Eins.", "Zwei."]\n')["x"]

    assert getattr(own, member) == {"en": (MACHINE,), "de": ("Eins.", "Zwei.")}


@pytest.mark.parametrize(
    ("variable", "text", "wanted"),
    [
        ("__EN", MACHINE, (MACHINE,)),
        ("__EN", '["One.", "Two."]', ("One.", "Two.")),
        ("", f'{{"en": "{MACHINE}"}}', (MACHINE,)),
    ],
)
def test_so_it_may_in_the_environment(
    monkeypatch: pytest.MonkeyPatch, variable: str, text: str, wanted: tuple[str, ...]
) -> None:
    monkeypatch.setenv(f"ORCHESTRATOR_TENANTS__X__DISCLOSURE{variable}", text)

    assert tenants()["x"].disclosure == {"en": wanted}


@pytest.mark.parametrize("wrong", ["5", "true", "[5]", "{ one = 'x' }"])
def test_what_is_no_sentence_is_refused_with_its_line(wrong: str) -> None:
    with pytest.raises(SettingsError, match=r"tenants\.x\.disclosure\.en.*orchestrator\.toml:2"):
        tenants(f"[tenants.x.disclosure]\nen = {wrong}\n")


# --- scripts ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["hill", '"hill.example"', '"Hügel"'])
def test_a_script_is_found_from_the_folder_of_the_settings_file(name: str) -> None:
    text = f'[tenants.{name}]\nscript = "hill.toml"\n[tenants.other]\nname = "Other"\n'
    found = tenants(text, "etc/orchestrator.toml")

    assert [each.script for each in found.values()] == [Path("etc/hill.toml"), None]
    assert found["other"].name == "Other"
    assert [each.script for each in tenants(text).values()] == [Path("hill.toml"), None]


def test_an_absolute_script_stays_where_it_is(here: Path) -> None:
    own = tenants(f'[tenants.hill]\nscript = "{here}/hill.toml"\n', "etc/orchestrator.toml")

    assert own["hill"].script == here / "hill.toml"


def test_a_script_of_the_environment_is_found_from_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_TENANTS__HILL__SCRIPT", "hill.toml")
    own = tenants(
        '[tenants.hill]\nscript = "not-this.toml"\n[tenants.lake]\nscript = "lake.toml"\n', "etc/orchestrator.toml"
    )

    assert (own["hill"].script, own["lake"].script) == (Path("hill.toml"), Path("etc/lake.toml"))
