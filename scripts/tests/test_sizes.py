"""Counting lines."""

from scripts.sizes import complaints, measure, worth_a_look


def test_files_and_functions_are_measured(tmp_path):
    package = tmp_path / "package"
    (package / "inner").mkdir(parents=True)
    for folder in (package, package / "inner"):
        (folder / "__init__.py").write_text("\n" * 70)
    body = "".join(f"    x{number} = {number}\n" for number in range(70))
    (package / "long.py").write_text(f"def short():\n    pass\n\n\nasync def long():\n{body}")
    sizes = measure(tmp_path)
    assert [(each.name, each.line, each.lines) for each in sizes.functions] == [("short", 1, 2), ("long", 5, 71)]
    assert sizes.summary() == "3 files (70 / 74 / 75 lines), 2 functions (36 / 64 / 71 lines)"
    found = complaints(sizes, tmp_path, function_lines=60, init_lines=60)
    assert [each.split(": ", 1)[1] for each in found] == [
        "long has 71 lines, 60 are allowed",
        "70 lines, 60 are allowed",
    ]
    assert complaints(sizes, tmp_path, function_lines=71, init_lines=70) == []
    assert len(worth_a_look(sizes, file_lines=74)) == 1


def test_an_empty_folder_has_no_sizes(tmp_path):
    assert measure(tmp_path).summary() == "0 files (0 / 0 / 0 lines), 0 functions (0 / 0 / 0 lines)"
