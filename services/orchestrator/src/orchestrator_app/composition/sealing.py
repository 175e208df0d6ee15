"""Sealing personal data: the master key in the data folder, the keys of people in a database of their own."""

from __future__ import annotations

from typing import Final

from orchestrator_app.composition.database import Databases
from orchestrator_app.composition.secrets import data_folder
from orchestrator_app.settings import AppSettings
from orchestrator_kernel.ports import Clock
from orchestrator_secrets.envelope import EnvelopeConfig, EnvelopeSealer, MasterKeyFile
from orchestrator_secrets.sql_key_store import SqlKeyStore

__all__ = ["make_sealer"]

TRUST: Final = EnvelopeConfig(seal_trust_seconds=1.0)
"""A turn writes several events at once; the key store is asked for the first of them. What is sealed within this second for a person whom another process
has just erased can be opened by nobody."""


def make_sealer(settings: AppSettings, databases: Databases, clock: Clock) -> EnvelopeSealer:
    """The sealer; its master key file is made at first start."""
    return EnvelopeSealer(
        MasterKeyFile(data_folder(settings) / "master.keys"), SqlKeyStore(databases.keys), clock=clock, config=TRUST
    )
