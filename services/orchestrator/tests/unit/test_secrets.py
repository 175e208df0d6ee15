"""Secrets of the application itself: given, or made once at first start."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from app_support import AGENT_SECRET, ROOT_KEY, TOKEN, environment, settings

from orchestrator_app.composition.secrets import AppSecrets, data_folder, load_secrets
from orchestrator_app.settings import AppSettings
from orchestrator_kernel.exceptions import ConfigurationError

FILES = ("access.token", "root.key", "agent.secret")


def embedded(folder: Path) -> AppSettings:
    return AppSettings(data_dir=folder)


def values(secrets: AppSecrets) -> tuple[str, bytes, str]:
    return (
        secrets.access_token.get_secret_value(),
        secrets.derive("anything"),
        secrets.agents["first"].get_secret_value(),
    )


def test_what_is_not_given_is_made_once(tmp_path: Path) -> None:
    first = load_secrets(embedded(tmp_path / "data"))

    assert values(load_secrets(embedded(tmp_path / "data"))) == values(first)
    assert first.access_token_file == tmp_path / "data" / "access.token"
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == sorted(FILES)
    assert len({*values(first)}) == 3
    assert all(len(value) >= 32 for value in values(first))


def test_what_is_made_belongs_to_the_owner_alone(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        load_secrets(embedded(tmp_path / "data"))
    finally:
        os.umask(old)

    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
    for name in FILES:
        assert (tmp_path / "data" / name).stat().st_mode & 0o777 == 0o600


def test_two_services_have_different_secrets(tmp_path: Path) -> None:
    one, other = load_secrets(embedded(tmp_path / "a")), load_secrets(embedded(tmp_path / "b"))

    assert not {*values(one)} & {*values(other)}


def test_what_is_given_is_not_made(tmp_path: Path) -> None:
    given = load_secrets(settings(tmp_path))

    assert given.access_token.get_secret_value() == TOKEN
    assert {name: secret.get_secret_value() for name, secret in given.agents.items()} == {"first": AGENT_SECRET}
    assert given.access_token_file is None
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o620])
@pytest.mark.parametrize("name", FILES)
def test_a_file_that_others_may_read_is_refused(tmp_path: Path, name: str, mode: int) -> None:
    load_secrets(embedded(tmp_path))
    (tmp_path / name).chmod(mode)

    with pytest.raises(ConfigurationError, match=f"{name} may be read by others; set its mode to 600"):
        load_secrets(embedded(tmp_path))


@pytest.mark.parametrize("content", [b"", b"\n", b"too-short", b"\xff\xfe" * 40])
def test_a_file_without_a_secret_is_not_taken_for_one(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "root.key").touch(mode=0o600)
    (tmp_path / "root.key").write_bytes(content)

    with pytest.raises(ConfigurationError, match=r"root\.key holds no secret; remove it to have a new one made"):
        load_secrets(embedded(tmp_path))


def test_a_folder_in_the_place_of_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "root.key").mkdir()

    with pytest.raises(ConfigurationError, match=r"root\.key cannot be read: Is a directory"):
        load_secrets(embedded(tmp_path))


def test_a_data_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ConfigurationError, match=r"cannot be made: .*; set data_dir"):
            data_folder(embedded(folder))


MAKE = """
import sys, time
from pathlib import Path
from orchestrator_app.composition.secrets import load_secrets
from orchestrator_app.settings import AppSettings
sys.stdout.write("ready\\n"); sys.stdout.flush()
sys.stdin.readline()
made = []
for number in range(40):
    secrets = load_secrets(AppSettings(data_dir=Path(sys.argv[1]) / str(number)))
    made.append(secrets.access_token.get_secret_value() + secrets.derive("x").hex() + secrets.agents["first"].get_secret_value())
print("\\n".join(made))
"""


def test_two_processes_at_first_start_agree(tmp_path: Path) -> None:
    """Both make the secrets of the same forty folders at the same time; neither may read a file that is half written."""
    starting = [
        subprocess.Popen(
            [sys.executable, "-c", MAKE, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        for _ in range(2)
    ]
    for process in starting:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in starting:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    one, other = (process.communicate(timeout=60)[0] for process in starting)

    assert [process.returncode for process in starting] == [0, 0]
    assert one == other
    assert len(one.splitlines()) == 40
    assert {path.name for path in tmp_path.glob("*/*")} == set(FILES)  # nothing half made is left behind


def test_keys_are_for_one_purpose(tmp_path: Path) -> None:
    secrets = load_secrets(settings(tmp_path))

    assert secrets.derive("session") != secrets.derive("pseudonym")
    assert len(secrets.derive("session")) == 32
    assert load_secrets(settings(tmp_path)).derive("session") == secrets.derive("session")


def test_a_pseudonym_stands_for_a_caller_within_a_tenant(tmp_path: Path) -> None:
    secrets = load_secrets(settings(tmp_path))

    name = secrets.pseudonym("harbour", "+49151")
    assert name == secrets.pseudonym("harbour", "+49151")
    assert (
        len(
            {
                name,
                secrets.pseudonym("harbour", "+49152"),
                secrets.pseudonym("garden", "+49151"),
                secrets.pseudonym("harbour+", "49151"),
            }
        )
        == 4
    )
    assert "49151" not in name
    other = settings(tmp_path, security={"root_key": "another-root-key-0123456789-abcdefg"})
    assert load_secrets(other).pseudonym("harbour", "+49151") != name


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    shown = repr(load_secrets(settings(tmp_path)))

    assert not [secret for secret in (TOKEN, ROOT_KEY, AGENT_SECRET) if secret in shown]


def test_a_caller_is_called_otherwise_in_each_tenant_and_the_same_within_it(tmp_path: Path) -> None:
    secrets = load_secrets(embedded(tmp_path / "data"))
    again = load_secrets(embedded(tmp_path / "data"))
    elsewhere = load_secrets(embedded(tmp_path / "other"))

    names = [secrets.pseudonym(tenant, "+4930901821") for tenant in ("harbour", "garden", "")]
    assert len({*names, elsewhere.pseudonym("harbour", "+4930901821")}) == 4
    assert again.pseudonym("harbour", "+4930901821") == names[0]
    # Where the tenant ends and the caller begins is a part of it.
    assert secrets.pseudonym("a", "bc") != secrets.pseudonym("ab", "c")
