"""Which error an answer of Vault's becomes, and which paths are none; the rest of the client is tested on a real server."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_auth._vault.errors import (
    VaultConflict,
    VaultDenied,
    VaultFailed,
    VaultMisconfigured,
    VaultNotFound,
    VaultRateLimited,
    VaultRefused,
    VaultSealed,
    VaultStandby,
    VaultUnavailable,
    failure,
)
from orchestrator_auth._vault.transport import path_of


@pytest.mark.parametrize(
    ("status", "errors", "kind", "retryable"),
    [
        (400, ["missing parameter"], VaultRefused, False),
        (400, ["check-and-set parameter did not match the current version"], VaultConflict, False),
        (400, ["no handler for route"], VaultNotFound, False),
        (403, ["permission denied"], VaultDenied, False),
        (404, [], VaultNotFound, False),
        (405, ["unsupported operation"], VaultRefused, False),
        (412, ["required index state not present"], VaultUnavailable, True),
        (418, [], VaultRefused, False),
        (429, ["request path quota exceeded"], VaultRateLimited, True),
        (472, [], VaultStandby, True),
        (473, [], VaultStandby, True),
        (500, ["internal error"], VaultUnavailable, True),
        (502, [], VaultUnavailable, True),
        (503, ["Vault is sealed"], VaultSealed, True),
        (503, ["Vault is in maintenance mode"], VaultUnavailable, True),
        (301, [], VaultRefused, False),
    ],
)
def test_an_answer_becomes_the_error_that_fits(status, errors, kind, retryable) -> None:
    error = failure(status, errors, "GET", "secret/data/x", 3.0)
    assert type(error) is kind
    assert isinstance(error, VaultFailed)
    assert (error.retryable, error.retry_after) == (retryable, 3.0)
    assert not any(text in str(error) for text in errors)


@given(st.lists(st.text(max_size=12), min_size=1, max_size=4))
def test_a_path_has_the_parts_it_was_made_of_or_is_refused(parts) -> None:
    try:
        path = path_of(*parts)
    except VaultMisconfigured:
        return
    assert ".." not in path.split("/")
    assert "//" not in path
    assert path.isascii()
    assert not set(path) & set("?#\\ \n")
