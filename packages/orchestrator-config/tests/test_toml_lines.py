"""The line of a key is right, or not told."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator_config import Settings, TomlFile, load
from orchestrator_config._toml import key_lines, parse

keys = st.sampled_from(["a", "b", "c", "key", "a-b", "1"]) | st.text("ab\"'. #=[]{}\\é\t", max_size=3)
scalars = st.sampled_from(
    ["1", "true", "1.5", '"x"', "'y'", '"a # b = [c]"', r'"\" = "', "1979-05-27 07:32:00", "inf", '""', "''",
     '"""\nkey = 1\n[a]\n"""', '"""a""\\"""""', "'''\nb = 2\n'''''", '"""\\\n  c = 1"""', '"""""a"""', "''''a'''"]
)  # fmt: skip
gaps = st.sampled_from(["", " ", "  ", "\t"])
breaks = st.sampled_from(["\n", "\n\n", " # a = 1\n", "\r\n", "\n  # [x]\n\n"])


class Writer:
    """Writes a random document, and notes the line of each key as it goes."""

    def __init__(self, draw: Any) -> None:
        self.draw = draw
        self.text = ""
        self.lines: dict[tuple[str | int, ...], int] = {}

    def note(self, path: tuple[str | int, ...]) -> None:
        self.lines.setdefault(path, self.text.count("\n") + 1)

    def key(self, name: str) -> str:
        bare = name and all(each.isascii() and (each.isalnum() or each in "-_") for each in name)
        if bare and self.draw(st.booleans()):
            return name
        if "'" not in name and self.draw(st.booleans()):
            return f"'{name}'"
        escaped = name.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t")
        return f'"{escaped}"'

    def value(self, path: tuple[str | int, ...], depth: int) -> None:
        kind = self.draw(st.sampled_from(["scalar", "scalar", "array", "table"] if depth < 3 else ["scalar"]))
        if kind == "scalar":
            self.text += self.draw(scalars)
        elif kind == "array":
            self.text += "[" + self.draw(st.one_of(gaps, breaks))
            for index in range(self.draw(st.integers(0, 3))):
                self.note((*path, index))
                self.value((*path, index), depth + 1)
                self.text += self.draw(gaps) + "," + self.draw(st.one_of(gaps, breaks))
            self.text += "]"
        else:
            self.text += "{" + self.draw(gaps)
            names = self.draw(st.lists(keys, unique=True, max_size=3))
            for index, name in enumerate(names):
                self.pair(path, name, depth + 1)
                self.text += self.draw(gaps) + ("," + self.draw(gaps) if index < len(names) - 1 else "")
            self.text += "}"

    def pair(self, path: tuple[str | int, ...], name: str, depth: int) -> None:
        self.note((*path, name))
        self.text += self.key(name) + self.draw(gaps) + "=" + self.draw(gaps)
        self.value((*path, name), depth)

    def body(self, path: tuple[str | int, ...]) -> None:
        for name in self.draw(st.lists(keys, unique=True, max_size=3)):
            self.text += self.draw(gaps)
            if self.draw(st.booleans()):
                self.pair(path, name, 0)
            else:
                self.note((*path, name))
                self.note((*path, name, "dotted"))
                self.text += f"{self.key(name)}{self.draw(gaps)}.{self.draw(gaps)}dotted = 1"
            self.text += self.draw(breaks)

    def document(self) -> None:
        self.text += self.draw(st.sampled_from(["", "\n", "# x\n"]))
        self.body(())
        for index in range(self.draw(st.integers(0, 3))):
            table = f"table{index}"
            self.note((table,))
            if self.draw(st.booleans()):
                self.text += self.draw(gaps) + f"[ {self.key(table)} ]" + self.draw(breaks)
                self.body((table,))
            else:
                for element in range(self.draw(st.integers(1, 3))):
                    self.note((table, element))
                    self.text += f"[[{self.key(table)}]]" + self.draw(breaks)
                    self.body((table, element))
                    self.note((table, element, "sub"))
                    self.note((table, element, "sub", "deep"))
                    self.text += f"[{table}.sub.deep]" + self.draw(breaks)
                    self.body((table, element, "sub", "deep"))


@given(st.data())
@settings(max_examples=100)
def test_lines_are_those_where_the_keys_were_written(data):
    check_lines(data)


@pytest.mark.soak
@given(st.data())
@settings(max_examples=2000, deadline=None)
def test_lines_are_those_where_the_keys_were_written_for_long(data):
    check_lines(data)


def check_lines(data):
    writer = Writer(data.draw)
    writer.document()
    content = tomllib.loads(writer.text)
    assert key_lines(writer.text, content) == writer.lines


@given(st.text(alphabet="ab.=[]{}\"'\\#\n ,1", max_size=40))
@settings(max_examples=300)
def test_the_lines_of_any_valid_text_are_complete_or_absent(text):
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    lines = key_lines(text, content)
    assert all(1 <= line <= text.count("\n") + 1 for line in lines.values())
    assert bool(lines) == bool(content)


def test_a_text_that_the_scanner_does_not_understand_has_no_lines():
    assert key_lines("a = 1\nb = 2\n", {"a": 1}) == {}
    assert key_lines("a @ 1", {"a": 1}) == {}
    assert key_lines("a = " + "[" * 5000 + "]" * 5000, {"a": 1}) == {}


def test_lines_count_from_one_over_every_kind_of_line_break():
    _, lines = parse(b"a = 1\r\nb = '''\r\n'''\r\nc = 3")
    assert lines == {("a",): 1, ("b",): 2, ("c",): 4}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[pool]\nsize = 1", 2),
        ("pool.size = 1", 1),
        ("\npool = {size = 1}", 2),
        ('# pool.size = 2\nname = """\n[pool]\nsize = 2\n"""\npool.size = 1', 6),
        ('["pool"]\n\n"size" = 1', 3),
    ],
)
def test_the_origin_of_a_value_in_a_file_has_its_line(tmp_path, text, line):
    class Pool(Settings):
        size: int = 0

    class App(Settings):
        name: str = ""
        pool: Pool = Pool()

    (tmp_path / "app.toml").write_text(text)
    settings_ = load(App, sources=[TomlFile(tmp_path / "app.toml")])
    assert settings_.value.pool.size == 1
    assert settings_.origin("pool.size").line == line
