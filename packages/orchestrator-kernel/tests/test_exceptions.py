"""The one hierarchy of errors."""

import copy
import inspect
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

import orchestrator_kernel
from orchestrator_kernel import exceptions
from orchestrator_kernel.exceptions import DatabaseError, OrchestratorError, RateLimitError

KINDS = sorted(
    (kind for kind in vars(exceptions).values() if inspect.isclass(kind) and kind.__base__ is OrchestratorError),
    key=lambda kind: kind.__name__,
)

STATUS_AND_RETRY = {
    "AuthenticationError": (401, False),
    "AuthorizationError": (403, False),
    "CacheError": (503, True),
    "CircuitBreakerOpenError": (503, True),
    "ComplianceError": (403, False),
    "ConfigurationError": (500, False),
    "DatabaseError": (503, True),
    "ExternalServiceError": (502, True),
    "RateLimitError": (429, True),
    "SecurityError": (400, False),
    "ValidationError": (422, False),
}

DETAILS = st.dictionaries(
    st.text(max_size=8), st.none() | st.booleans() | st.integers() | st.text(max_size=8), max_size=4
)


class PlanExpiredError(RateLimitError):
    """An error of a package, with data of its own."""

    default_code = "plan_expired"


def test_there_are_eleven_kinds_and_all_are_exported():
    assert {kind.__name__ for kind in KINDS} == set(STATUS_AND_RETRY)
    assert {kind.__name__ for kind in KINDS} | {"OrchestratorError"} == set(orchestrator_kernel.__all__)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_kind_says_how_to_react(kind):
    error = kind("nothing works")
    assert (error.status, error.retryable) == STATUS_AND_RETRY[kind.__name__]
    assert str(error) == error.message == "nothing works"


def test_no_two_kinds_share_a_code():
    assert len({kind.default_code for kind in [OrchestratorError, *KINDS]}) == len(KINDS) + 1


def test_what_is_given_wins_over_the_kind():
    error = DatabaseError("full", code="disk_full", details={"free": 0}, retryable=False, retry_after=0.5, status=507)
    assert (error.code, error.retryable, error.retry_after, error.status) == ("disk_full", False, 0.5, 507)
    assert error.details == {"free": 0}


def test_details_cannot_be_changed_afterwards():
    given_details = {"field": "name"}
    error = OrchestratorError("wrong", details=given_details)
    given_details["field"] = "other"
    assert error.details["field"] == "name"
    with pytest.raises(TypeError):
        error.details["field"] = "other"


def test_the_repr_shows_no_details():
    error = OrchestratorError("wrong", details={"account": "DE02"})
    assert "DE02" not in repr(error)
    assert repr(error) == "OrchestratorError('wrong', code='internal_error')"


@given(
    kind=st.sampled_from([OrchestratorError, *KINDS, PlanExpiredError]),
    message=st.text(),
    code=st.none() | st.text(),
    details=DETAILS,
    retryable=st.none() | st.booleans(),
    retry_after=st.none() | st.floats(0, 1e6),
    status=st.none() | st.integers(400, 599),
)
def test_an_error_survives_copying_and_crossing_processes(kind, message, **given_values):
    error = kind(message, **given_values)
    for twin in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert type(twin) is kind
        assert str(twin) == message
        assert vars(twin) == vars(error)
