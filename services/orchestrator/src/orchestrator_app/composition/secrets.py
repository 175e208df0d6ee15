"""The application's own secrets: taken from the settings, or made at first start in the data folder."""

from __future__ import annotations

import hmac
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

from orchestrator_app.composition.secrets_expiry import expiries
from orchestrator_app.settings import AppSettings
from orchestrator_kernel.exceptions import ConfigurationError

__all__ = ["AppSecrets", "data_folder", "load_secrets"]


@dataclass(frozen=True, slots=True)
class AppSecrets:
    """What the application proves itself and others with.

    Attributes:
        access_token: The operators' bearer token.
        access_token_file: Where it was made; None when the settings gave it.
        agents: HMAC secrets of media agents by id.
    """

    access_token: SecretStr
    access_token_file: Path | None
    agents: dict[str, SecretStr]
    _root: bytes = field(repr=False)

    def derive(self, purpose: str) -> bytes:
        """A key for one purpose, 32 bytes; the same at every start."""
        return hmac.digest(self._root, purpose.encode(), "sha256")

    def pseudonym(self, tenant: str, caller: str) -> str:
        """The stable pseudonym of a caller within a tenant; cannot be found by trying numbers without the root key."""
        return (
            "caller-"
            + hmac.digest(self.derive("pseudonym"), f"{len(tenant)}:{tenant}{caller}".encode(), "sha256").hex()[:40]
        )


def data_folder(settings: AppSettings) -> Path:
    """The data folder, made if need be.

    Raises:
        ConfigurationError: It cannot be made or written to.
    """
    folder = settings.data_dir
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ConfigurationError(f"the data folder {folder} cannot be made: {error.strerror}; set data_dir") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigurationError(f"the data folder {folder} cannot be written to; set data_dir or its rights")
    return folder


def load_secrets(settings: AppSettings) -> AppSecrets:
    """The secrets; what the settings do not give is made once and kept with mode 600.

    Raises:
        ConfigurationError: A secret file cannot be made, others may read it, or `security.secret_expiry` names a secret that is none.
    """
    expiries(settings)
    folder = data_folder(settings)
    token, token_file = settings.security.access_token, None
    if token is None and settings.auth.access_token:
        token_file = folder / "access.token"
        token = SecretStr(_kept(token_file))
    root = settings.security.root_key or SecretStr(_kept(folder / "root.key"))
    agents = dict(settings.agents.secrets)
    if not agents and settings.environment != "production":
        agents = {"first": SecretStr(_kept(folder / "agent.secret"))}
    # One that opens nothing is nobody's to know.
    token = token or SecretStr(secrets.token_urlsafe(32))
    return AppSecrets(token, token_file, agents, root.get_secret_value().encode())


def _kept(path: Path) -> str:
    if not path.exists():
        _make(path)
    return _read(path)


def _make(path: Path) -> None:
    """Made whole under another name first: of two processes that start together one wins, and both read the same."""
    new = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
            file.flush()
            os.fsync(descriptor)
        try:
            os.link(new, path)
        except FileExistsError:
            return
        finally:
            new.unlink()
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be made: {error.strerror}") from error


def _read(path: Path) -> str:
    try:
        with path.open() as file:
            if os.fstat(file.fileno()).st_mode & 0o077:
                raise ConfigurationError(f"{path} may be read by others; set its mode to 600")
            value = file.read().strip()
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        value = ""
    if len(value) < 32:
        raise ConfigurationError(f"{path} holds no secret; remove it to have a new one made")
    return value
