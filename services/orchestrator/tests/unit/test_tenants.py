"""Tenants of the settings and tenants that are added: read, merged, followed, and made something of."""

from __future__ import annotations

import logging
import stat
import tomllib
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import pytest
from app_support import SHORT, settings
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_app.composition.calls import make_house, make_responders
from orchestrator_app.composition.tenants import TenantBook, merge, per_tenant, with_tenants
from orchestrator_app.composition.tenants_file import Stored, TenantsFile, to_toml
from orchestrator_app.settings import AppSettings, TenantSettings
from orchestrator_kernel.exceptions import ConfigurationError

FIXED = {"harbour": TenantSettings(numbers=("+4930901821",))}


def book_of(folder: Path, **added: dict[str, Any]) -> TenantBook:
    file = TenantsFile(folder / "tenants.toml")
    if added:
        file.replace(Stored(added))
    return TenantBook(FIXED, file)


def add(book: TenantBook, **added: dict[str, Any]) -> None:
    stored = book.file.read()
    book.file.replace(Stored({**stored.tenants, **added}, stored.retired))


# --- the file -----------------------------------------------------------------------------------------------------------------


texts = st.text(st.characters(codec="utf-8"), max_size=8)
values = st.recursive(
    st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
    | st.times(timezones=st.none())
    | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(texts, st.dictionaries(texts, values, max_size=4), max_size=3))
def test_what_is_written_is_what_is_read(content: dict[str, Any]) -> None:
    assert tomllib.loads(to_toml(content)) == content


def test_the_file_is_replaced_whole_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    file = TenantsFile(tmp_path / "tenants.toml")
    assert file.read() == Stored()
    file.replace(Stored({"garden": {"numbers": ["+49891"], "actions": {"book": {"secret": "kept"}}}}))
    assert file.read().tenants["garden"]["actions"] == {"book": {"secret": "kept"}}
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["tenants.toml"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("tenants = 5", "tenants.tenants must be a table"),
        ("[tenants]\nx = 5", "tenants.x must be a table"),
        ("[tenant.x]", "unknown table tenant"),
        ("[tenants.x", "is no TOML"),
        ("[tenants.x]\nnumbers = ['030 12']", "tenant x: numbers.0"),
        ("[tenants.x]\nnumber = ['+4930']", "tenant x: number"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_its_name(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "tenants.toml").write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        TenantBook(FIXED, TenantsFile(tmp_path / "tenants.toml"))
    assert reason in str(caught.value)
    assert "tenants.toml" in str(caught.value)
    assert "030 12" not in str(caught.value)


# --- both together ------------------------------------------------------------------------------------------------------------


def test_a_number_that_two_tenants_have_is_refused_with_both_names() -> None:
    stored = Stored({"garden": {"numbers": ["+4930901821"]}})
    with pytest.raises(ConfigurationError) as caught:
        merge(FIXED, stored, "tenants.toml")
    for part in ("harbour (of the settings)", "garden (of tenants.toml)", "+4930901821"):
        assert part in str(caught.value)


def test_a_number_that_two_added_tenants_have_is_refused_too() -> None:
    stored = Stored({"garden": {"numbers": ["+49891"]}, "lake": {"numbers": ["+49891"]}})
    with pytest.raises(ConfigurationError, match=r"garden .* and lake"):
        merge(FIXED, stored, "tenants.toml")


def test_a_tenant_of_the_settings_cannot_be_said_otherwise() -> None:
    with pytest.raises(ConfigurationError, match=r"harbour stands in the settings and in tenants\.toml"):
        merge(FIXED, Stored({"harbour": {}}), "tenants.toml")


def test_the_settings_see_added_tenants_by_name_and_number(tmp_path: Path) -> None:
    TenantsFile(tmp_path / "tenants.toml").replace(Stored({"lake": {"numbers": ["+4982099"], "languages": ["de-DE"]}}))
    live = with_tenants(settings(tmp_path))
    assert [*live.tenants] == ["harbour", "garden", "lake"]
    assert live.tenant_of_number("+4982099") == "lake"
    assert with_tenants(live) is live


# --- while the service runs ---------------------------------------------------------------------------------------------------


async def test_an_added_tenant_is_seen_and_an_unchanged_file_costs_nothing(tmp_path: Path) -> None:
    book = book_of(tmp_path)
    assert not await book.refresh()
    add(book, garden={"numbers": ["+49891"]})
    assert await book.refresh()
    assert [*book] == ["harbour", "garden"]
    assert book["garden"].numbers == ("+49891",)
    assert (book.source("garden"), book.source("harbour")) == ("tenants.toml", "settings")
    assert not await book.refresh()


async def test_following_the_file_sees_it_without_being_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    monkeypatch.setattr("orchestrator_app.composition.tenants.EVERY", 0.01)
    book = book_of(tmp_path)
    await book.start()
    add(book, garden={})
    async with asyncio.timeout(5):
        while "garden" not in book:
            await asyncio.sleep(0.005)
    await book.stop()


async def test_a_file_that_became_wrong_changes_nothing_and_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    book = book_of(tmp_path, garden={"numbers": ["+49891"]})
    for text in ("[tenants.garden]\nnumbers = ['nonsense']", "[tenants.garden]\nnumbers = ['nonsense'] # again"):
        book.file.path.write_text(text)
        with caplog.at_level(logging.ERROR):
            assert not await book.refresh()
    assert book["garden"].numbers == ("+49891",)
    assert [record.getMessage() for record in caplog.records] == ["the tenants stay as they were"]
    add_text = "[tenants.garden]\nnumbers = ['+49892']"
    book.file.path.write_text(add_text)
    assert await book.refresh()
    assert book["garden"].numbers == ("+49892",)


async def test_a_removed_tenant_takes_no_calls_and_its_calls_go_on(tmp_path: Path) -> None:
    book = book_of(tmp_path, garden={"numbers": ["+49891"], "languages": ["de-DE"]})
    made = per_tenant(book, lambda name, tenant: (name, tenant.languages))
    before = made["garden"]
    stored = book.file.read()
    book.file.replace(Stored({}, stored.tenants))
    assert await book.refresh()
    assert "garden" not in book
    assert [*book] == ["harbour"]
    assert made["garden"] is before
    again = TenantBook(FIXED, book.file)
    assert again["garden"].languages == ("de-DE",)
    assert "garden" not in again


async def test_a_tenant_that_is_struck_out_of_the_file_by_hand_keeps_its_calls_too(tmp_path: Path) -> None:
    book = book_of(tmp_path, garden={"languages": ["de-DE"]})
    made = per_tenant(book, lambda name, tenant: (name, tenant.languages))
    book.file.path.write_text("")
    assert await book.refresh()
    assert "garden" not in book
    assert made["garden"] == ("garden", ("de-DE",))
    book.file.path.write_text("# nothing again\n")
    assert await book.refresh()
    assert book["garden"].languages == ("de-DE",)


async def test_what_is_made_of_a_tenant_is_made_before_it_is_published_and_once(tmp_path: Path) -> None:
    book, made_of = book_of(tmp_path), []

    def make(name: str, tenant: TenantSettings) -> str:
        made_of.append((name, name in book))
        return f"{name} in {tenant.time_zone}"

    made = per_tenant(book, make)
    add(book, garden={"time_zone": "Europe/Berlin"}, lake={})
    assert await book.refresh()
    assert made_of == [("harbour", True), ("garden", False), ("lake", False)]
    assert dict(made) == {"harbour": "harbour in UTC", "garden": "garden in Europe/Berlin", "lake": "lake in UTC"}
    add(book, garden={"time_zone": "UTC"})
    assert await book.refresh()
    assert made["garden"] == "garden in UTC"
    assert len(made_of) == 4, "the others stayed as they were"


async def test_a_tenant_of_which_nothing_can_be_made_is_not_published(tmp_path: Path) -> None:
    book = book_of(tmp_path)

    def make(name: str, _tenant: TenantSettings) -> str:
        if name == "garden":
            raise ConfigurationError("its script is broken")
        return name

    per_tenant(book, make)
    add(book, garden={})
    assert not await book.refresh()
    assert "garden" not in book


# --- what a tenant is ---------------------------------------------------------------------------------------------------------


def tenant(**members: Any) -> TenantSettings:
    return TenantSettings.model_validate(members)


def test_opening_hours_by_days_and_ranges_of_days() -> None:
    house = make_house(
        tenant(
            opening_hours={
                "week": {"mon-fri": ["09:00-12:00", "13:00-18:00"], "sat": ["10:00-24:00"]},
                "closed_on": ["2026-12-25"],
            }
        )
    )
    assert house.hours is not None
    for when, there in {
        datetime(2026, 6, 3, 9, 0, tzinfo=UTC): True,
        datetime(2026, 6, 3, 12, 30, tzinfo=UTC): False,
        datetime(2026, 6, 6, 23, 59, tzinfo=UTC): True,
        datetime(2026, 6, 7, 0, 0, tzinfo=UTC): False,
        datetime(2026, 12, 25, 10, 0, tzinfo=UTC): False,
    }.items():
        assert house.hours.is_open(when) is there, when
    assert house.hours.closed_on == {date(2026, 12, 25)}


def test_a_range_of_days_may_run_over_the_weekend() -> None:
    spans = tenant(opening_hours={"week": {"fri-mon": ["20:00-02:00"]}}).opening_hours
    assert spans is not None
    assert spans.spans() == {day: ((time(20), time(2)),) for day in (4, 5, 6, 0)}


@pytest.mark.parametrize(
    ("week", "reason"),
    [
        ({"mon": ["9-17"]}, "String should match"),
        ({"mon": ["09:00-25:00"]}, "String should match"),
        ({"mon": ["09:00-24:30"]}, "a day ends at 24:00"),
        ({"monday": ["09:00-17:00"]}, "is no day"),
        ({"mon-fri": ["09:00-17:00"], "wed": ["09:00-12:00"]}, "wed stands there twice"),
    ],
)
def test_opening_hours_that_cannot_be_meant_are_refused(week: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        tenant(opening_hours={"week": week})


def test_notices_may_be_one_sentence_or_more_and_named_with_a_region() -> None:
    house = make_house(tenant(disclosure={"en-US": "I am a machine."}, consent={"DE": ["Eins.", "Zwei."]}))
    assert house.disclosure == {"en": ("I am a machine.",)}
    assert house.consent == {"de": ("Eins.", "Zwei.")}


def test_a_notice_without_a_language_of_the_script_is_refused_with_the_tenants_name(tmp_path: Path) -> None:
    members = {**SHORT["harbour"], "consent": {"fr": "Enregistré."}}
    with pytest.raises(ConfigurationError, match="tenant harbour: consent has no wording in"):
        make_responders(settings(tmp_path, tenants={"harbour": members}))


def test_the_actions_of_a_tenant_are_those_of_its_house() -> None:
    house = make_house(tenant(actions={"book_table": {"url": "https://pms.example/tables"}}))
    assert house.actions == {"book_table"}


def test_the_voice_of_elevenlabs_needs_a_key_and_a_voice() -> None:
    with pytest.raises(ValueError, match="elevenlabs_key and elevenlabs_voice"):
        AppSettings.model_validate({"speech": {"backends": ("elevenlabs",), "elevenlabs_key": "key"}})


def test_the_tenant_of_the_readme_is_good() -> None:
    text = (Path(__file__).parents[2] / "README.md").read_text()
    example = text.split("```toml\n")[2].partition("```")[0]
    own = tenant(**tomllib.loads(example))
    house = make_house(own)
    assert house.hours is not None
    assert house.hours.is_open(datetime(2026, 6, 6, 10, 0, tzinfo=UTC))
    assert house.consent["de"][1].startswith("Wenn Sie")
    assert own.transfers["operator"] == "+4930901899"
