"""Strict request models."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Literal

import pytest
from pydantic import BaseModel, Field, RootModel, ValidationError, model_validator

from orchestrator_security.input_validation import FieldsRefused, JsonLimits, JsonRefused, Line, StrictModel, Text


class Stay(StrictModel):
    room: Line
    note: Text = ""
    nights: int = 1
    price: float = 0.0
    arrival: datetime | None = None
    kind: Literal["single", "double"] = "single"


def test_a_body_becomes_a_model() -> None:
    stay = Stay.parse(b'{"room": "12", "arrival": "2030-01-01T00:00:00Z", "price": 80}')
    assert (stay.room, stay.arrival and stay.arrival.year, stay.price) == ("12", 2030, 80.0)


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b"{}", ["room: missing"]),
        (b'{"room":"1","is_admin":true}', ["is_admin: extra_forbidden"]),
        (b'{"room":"1","nights":"2"}', ["nights: int_type"]),
        (b'{"room":"1","nights":true}', ["nights: int_type"]),
        (b'{"room":"1\\n2"}', ["room: string_pattern_mismatch"]),
        (b'{"room":"1","note":"\\u0000"}', ["note: string_pattern_mismatch"]),
        (b'{"room":""}', ["room: string_too_short"]),
        (b'{"room":"1","kind":"SINGLE"}', ["kind: literal_error"]),
        (b"[]", [": model_type"]),
    ],
)
def test_what_is_not_described_is_refused(body: bytes, fields: list[str]) -> None:
    with pytest.raises(FieldsRefused) as refusal:
        Stay.parse(body)
    assert refusal.value.status == 422
    assert refusal.value.details["fields"] == fields


def test_a_repeated_key_is_refused_although_the_model_would_take_the_last() -> None:
    with pytest.raises(JsonRefused):
        Stay.parse(b'{"room":"1","room":"2"}')


def test_refusals_never_repeat_the_input() -> None:
    with pytest.raises(FieldsRefused) as refusal:
        Stay.parse(b'{"room":"1","nights":"Zoe Quill"}')
    assert "Zoe" not in f"{refusal.value} {refusal.value.details} {refusal.value.__cause__}"
    with pytest.raises(ValidationError) as plain:
        Stay(room="1", nights="Zoe Quill")  # type: ignore[arg-type]
    assert "Zoe" not in str(plain.value)


def test_harmless_sentences_pass() -> None:
    """No list of bad words stands between a caller and the service."""
    for said in ("please delete from my bill the minibar", "select a union table", "<3 you & <b>'\"; -- ../"):
        assert Stay(room="1", note=said).note == said


class Guest(StrictModel):
    name: Line
    vip: bool = False


class Party(StrictModel):
    host: Guest = Guest(name="nobody")
    guests: list[Guest] = Field(default_factory=list)
    tags: list[str] = Field(default_factory=list)


class Loose(StrictModel):
    guests: list[Guest] = Field(default_factory=list)
    extra: dict[str, int] = Field(default_factory=dict)


class Meddling(StrictModel):
    """Its author adds a key, which must not make up for one that is repeated."""

    guest: Guest

    @model_validator(mode="before")
    @classmethod
    def _adds(cls, value: object) -> object:
        return {"guest": {"name": "x", "vip": True}} if isinstance(value, dict) else value


class Names(RootModel[list[Line]]):
    """Has a field, and no key."""


class Rooted(StrictModel):
    names: Names
    guests: list[Guest] = Field(default_factory=list)


class Shared(StrictModel):
    """Two fields out of one key."""

    name: Line = Field(validation_alias="n")
    again: Line = Field(validation_alias="n")
    vip: bool = False


class Open(BaseModel, extra="allow"):
    """Not one of ours."""

    name: str


class Mixed(StrictModel):
    guest: Open


@pytest.mark.parametrize(
    ("model", "body"),
    [
        (Rooted, '{"guests":[{"name":"a"}],"names":["x"]}'),
        (Shared, '{"n":"a","vip":true}'),
        (Mixed, '{"guest":{"name":"a","more":true,"other":{"x":1}}}'),
        (Party, '{"guests":[{"name":"a"},{"name":"b","vip":true}],"tags":["x"]}'),
        (Party, '{"host":{"name":"a: \\"b\\" :c"},"tags":["{[:"]}'),
        (Party, '{ "guests" : [ { "name" : "a" } ] }'),
        (Loose, '{"guests":[{"name":"a"}],"extra":{"a":1,"b":2}}'),
        (Meddling, '{"guest":{"name":"a"}}'),
    ],
)
def test_repeated_keys_are_found_at_every_place_and_nothing_else_is(model: type[StrictModel], body: str) -> None:
    assert model.parse(body.encode())
    for place in re.finditer(r"[{,]\s*(\"\w+\"\s*:\s*(?:\"(?:[^\"\\\\]|\\\\.)*\"|true|\d))", body):
        doubled = f"{body[: place.end()]},{place[1]}{body[place.end() :]}"
        with pytest.raises(JsonRefused) as refusal:
            model.parse(doubled.encode())
        assert refusal.value.details["reason"] == "duplicate_key"


def test_limits_hold_where_the_model_sets_none() -> None:
    for limits in (JsonLimits(array_length=1), JsonLimits(depth=2), JsonLimits(keys=1), JsonLimits(string_length=3)):
        with pytest.raises(JsonRefused):
            Party.parse(b'{"guests":[{"name":"abcd"},{"name":"b","vip":true}],"tags":[]}', limits)
    with pytest.raises(JsonRefused):
        Stay.parse(b'{"room":"1","nights":9007199254740993}')
    with pytest.raises(FieldsRefused):
        Stay.parse(b'{"room":"1","price":1e999}')
