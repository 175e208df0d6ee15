"""Every key of a document is found, in its line."""

from __future__ import annotations

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from orchestrator_calls.dialogue._toml_lines import find_lines

DOCUMENT = '''
top = 1 # a = 2
"quoted key" = "a \\" # no comment"
[table]
a.b = 'single # quotes'
text = """
[no.table]
c = 3 \\
"""
literal = \'\'\'
x = "1
\'\'\'\'
list = [
  "one", # two
  [2,
   3],
  { x = 1, y.z = "}" },
]
inline = { p = "[", q = [1, 2] }
[[items]]
name = "first"
[[items]]
name = "second"
[items.sub]
deep = true
[[items.more]]
n = 1
'''


def test_the_places_of_a_document_with_everything():
    tomllib.loads(DOCUMENT)
    lines = find_lines(DOCUMENT)
    expected = {
        ("top",): 2,
        ("quoted key",): 3,
        ("table",): 4,
        ("table", "a", "b"): 5,
        ("table", "text"): 6,
        ("table", "literal"): 10,
        ("table", "list", 0): 14,
        ("table", "list", 1): 15,
        ("table", "list", 1, 1): 16,
        ("table", "list", 2, "y", "z"): 17,
        ("table", "inline", "q", 1): 19,
        ("items", 0, "name"): 21,
        ("items", 1): 22,
        ("items", 1, "name"): 23,
        ("items", 1, "sub", "deep"): 25,
        ("items", 1, "more", 0, "n"): 27,
    }
    assert {path: lines.get(path) for path in expected} == expected


keys = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)
scalars = st.one_of(
    st.booleans(),
    st.integers(-(10**9), 10**9),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    st.floats(allow_nan=False),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=3)),
    max_leaves=8,
)


def quoted(text):
    escaped = "".join(
        f"\\U{ord(char):08x}" if char in '"\\' or ord(char) < 32 or ord(char) == 127 else char for char in text
    )
    return f'"{escaped}"'


def write(value):
    match value:
        case bool():
            return str(value).lower()
        case str():
            return quoted(value)
        case float():
            return repr(value) if "inf" in repr(value) or "." in repr(value) or "e" in repr(value) else f"{value}.0"
        case list():
            return "[" + ",\n".join(write(item) for item in value) + "]"
        case dict():
            return (
                "{"
                + ", ".join(f"{quoted(key)} = {write(item).replace(chr(10), ' ')}" for key, item in value.items())
                + "}"
            )
        case _:
            return str(value)


def paths(value, here=()):
    if here:
        yield here
    if isinstance(value, dict):
        for key, item in value.items():
            yield from paths(item, (*here, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from paths(item, (*here, index))


@given(tables=st.dictionaries(keys, st.dictionaries(keys, values, max_size=4), max_size=4))
def test_every_key_of_any_document_is_found(tables):
    lines: list[str] = []
    expected = {}
    for name, table in tables.items():
        expected[name,] = len("\n".join(lines).split("\n")) + 1 if lines else 1
        lines.append(f"[{quoted(name)}]")
        for key, value in table.items():
            expected[name, key] = "\n".join(lines).count("\n") + 2
            lines.append(f"{quoted(key)} = {write(value)}")
    text = "\n".join(lines)
    document = tomllib.loads(text)
    found = find_lines(text)
    assert set(found) == set(paths(document))
    assert {path: found[path] for path in expected} == expected
