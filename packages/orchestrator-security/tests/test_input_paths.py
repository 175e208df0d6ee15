"""Files below a folder, and nowhere else."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_security.input_validation import AllowedFolder, PathRefused


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "de").mkdir(parents=True)
    (root / "de" / "hello.txt").write_text("Guten Tag")
    (tmp_path / "secret.txt").write_text("secret")
    (root / "link.txt").symlink_to(tmp_path / "secret.txt")
    (root / "up").symlink_to(tmp_path)
    (root / "inside.txt").symlink_to(root / "de" / "hello.txt")
    os.mkfifo(root / "pipe")
    return root


def test_reads_what_lies_below(tree: Path) -> None:
    with AllowedFolder(tree) as folder:
        assert folder.read("de/hello.txt", limit=100) == b"Guten Tag"


@pytest.mark.parametrize(
    "path",
    [
        "../secret.txt", "de/../../secret.txt", "/etc/passwd", "link.txt", "up/secret.txt", "inside.txt", "pipe", "de",
        "", ".", "./de/hello.txt", "de//hello.txt", "de/hello.txt/", "de\\hello.txt", "de/hello.txt\x00.png",
        "~root", ".hidden", "/".join(["a"] * 40),
    ],
)  # fmt: skip
def test_nothing_leads_out_or_over_something_else(tree: Path, path: str) -> None:
    with AllowedFolder(tree) as folder, pytest.raises(PathRefused):
        folder.open(path)


def test_what_is_absent_is_absent(tree: Path) -> None:
    with AllowedFolder(tree) as folder, pytest.raises(FileNotFoundError):
        folder.open("de/nothing.txt")


def test_a_file_over_the_limit_is_refused(tree: Path) -> None:
    with AllowedFolder(tree) as folder, pytest.raises(PathRefused, match="more than 3"):
        folder.read("de/hello.txt", limit=3)


def test_creates_only_where_it_may_and_never_over_something(tree: Path) -> None:
    with AllowedFolder(tree, writable=True) as folder:
        with folder.create("de/new.txt") as file:
            file.write(b"new")
        assert folder.read("de/new.txt", limit=10) == b"new"
        assert (tree / "de" / "new.txt").stat().st_mode & 0o777 == 0o600
        for taken in ("de/new.txt", "link.txt"):
            with pytest.raises(FileExistsError):
                folder.create(taken)
    with AllowedFolder(tree) as folder, pytest.raises(PathRefused):
        folder.create("de/other.txt")


def test_a_closed_folder_opens_nothing(tree: Path) -> None:
    folder = AllowedFolder(tree)
    folder.close()
    folder.close()
    with pytest.raises(PathRefused, match="closed"):
        folder.open("de/hello.txt")


def test_a_root_that_is_no_folder_is_a_mistake_of_the_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        AllowedFolder(tmp_path / "absent")


def test_leaks_no_descriptor(tree: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    with AllowedFolder(tree) as folder:
        for path in ("de/hello.txt", "link.txt", "up/secret.txt", "pipe", "de", "de/none"):
            try:
                folder.open(path).close()
            except (PathRefused, FileNotFoundError):
                pass
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(
    parts=st.lists(
        st.sampled_from(["..", ".", "", "de", "up", "link.txt", "inside.txt", "hello.txt", "pipe"]), max_size=6
    )
)
def test_no_combination_reads_the_secret(tree: Path, parts: list[str]) -> None:
    with AllowedFolder(tree) as folder:
        try:
            content = folder.read("/".join(parts), limit=100)
        except (PathRefused, FileNotFoundError):
            return
    assert content == b"Guten Tag"


def test_a_folder_swapped_for_a_link_in_between_is_never_followed(tree: Path) -> None:
    """Somebody who may write the folder races the check: `de` is a folder and a link to outside, in turn."""
    (tree.parent / "outside").mkdir()
    (tree.parent / "outside" / "hello.txt").write_text("secret")
    done = threading.Event()

    def swap() -> None:
        while not done.is_set():
            (tree / "de").rename(tree / "de-away")
            (tree / "de").symlink_to(tree.parent / "outside")
            (tree / "de").unlink()
            (tree / "de-away").rename(tree / "de")

    racer = threading.Thread(target=swap)
    racer.start()
    read: set[bytes] = set()
    try:
        with AllowedFolder(tree) as folder:
            for _ in range(3000):
                try:
                    read.add(folder.read("de/hello.txt", limit=100))
                except (PathRefused, FileNotFoundError):
                    pass
    finally:
        done.set()
        racer.join()
    assert read <= {b"Guten Tag"}
