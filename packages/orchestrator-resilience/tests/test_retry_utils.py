"""What a caller of a retry notices. Time is virtual."""

from __future__ import annotations

import asyncio
import gc
import random
import threading
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_kernel import virtual_time
from orchestrator_kernel.exceptions import (
    CircuitBreakerOpenError,
    ConfigurationError,
    ExternalServiceError,
    RateLimitError,
)
from orchestrator_kernel.virtual_time import LoopClock
from orchestrator_resilience._retry_rules import backoff
from orchestrator_resilience.config import HedgeConfig, RetryConfig
from orchestrator_resilience.deadlines import (
    DEADLINE_HEADER,
    DeadlineExceeded,
    deadline,
    deadline_from_header,
    deadline_header,
    remaining,
)
from orchestrator_resilience.events import DECISIONS, Decision
from orchestrator_resilience.retry_utils import (
    PRESETS,
    AttemptTimedOut,
    Hedge,
    Retry,
    RetryBudget,
    parse_retry_after,
    process_budget,
)

NOW = datetime(2030, 1, 1, tzinfo=UTC)


class Server:
    """Fails as it is told, then answers; knows when it was called."""

    def __init__(self, *failures: BaseException | float) -> None:
        self.failures = list(failures)
        self.calls: list[float] = []

    async def __call__(self, answer: str = "fine") -> str:
        self.calls.append(asyncio.get_running_loop().time())
        if self.failures:
            failure = self.failures.pop(0)
            if isinstance(failure, BaseException):
                raise failure
            await asyncio.sleep(failure)
        return answer


def retry(budget: RetryBudget | None = None, observers=(), **settings) -> Retry:
    settings = {"idempotent": True} | settings
    chance = random.Random(1)
    return Retry(
        RetryConfig(**settings), name="tts", budget=budget, clock=LoopClock(NOW), chance=chance, observers=observers
    )


def hedge(budget: RetryBudget | None = None, observers=(), **settings) -> Hedge:
    return Hedge(HedgeConfig(**settings), idempotent=True, name="tts", budget=budget, observers=observers)


def down() -> ConnectionResetError:
    return ConnectionResetError("down")


def test_a_passing_failure_is_mended():
    server = Server(down(), TimeoutError())
    assert virtual_time.run(retry().call(server, answer="mended")) == "mended"
    assert len(server.calls) == 3


def test_the_last_error_reaches_the_caller_itself_with_the_reason():
    errors = [down(), down(), down()]
    with pytest.raises(ConnectionResetError) as caught:
        virtual_time.run(retry().call(Server(*errors)))
    assert caught.value is errors[-1]
    assert errors[-1].__notes__ == ["not tried again after 3 attempts: no more attempts are allowed"]


@pytest.mark.parametrize(
    "error",
    [
        ValueError("the caller's mistake"),
        CircuitBreakerOpenError("open"),
        asyncio.CancelledError(),
        KeyError("a bug"),
        ExternalServiceError("final", retryable=False),
        ExternalServiceError("refused", details={"upstream_status": 404}),
    ],
)
def test_what_a_retry_cannot_mend_is_not_retried(error):
    server = Server(error)
    with pytest.raises(type(error)):
        virtual_time.run(retry().call(server))
    assert len(server.calls) == 1
    assert not hasattr(error, "__notes__")


def test_an_open_circuit_is_not_retried_even_when_all_errors_are():
    server = Server(CircuitBreakerOpenError("open"))
    with pytest.raises(CircuitBreakerOpenError):
        virtual_time.run(retry(retryable=(Exception,)).call(server))
    assert len(server.calls) == 1


def test_types_predicates_and_exceptions_from_them():
    config = {"retryable": (KeyError, lambda error: "odd" in str(error)), "never": (ConnectionAbortedError,)}
    assert virtual_time.run(retry(**config).call(Server(KeyError(1), RuntimeError("odd")))) == "fine"
    with pytest.raises(ConnectionAbortedError):
        virtual_time.run(retry(**config).call(Server(ConnectionAbortedError())))


class Response:
    def __init__(self, status_code: int, **headers: str) -> None:
        self.status_code = status_code
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


class StatusError(Exception):
    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


@pytest.mark.parametrize(("status", "calls"), [(503, 2), (429, 2), (408, 2), (400, 1), (501, 1)])
def test_statuses(status, calls):
    server = Server(StatusError(Response(status)))
    if calls == 1:
        with pytest.raises(StatusError):
            virtual_time.run(retry().call(server))
    else:
        virtual_time.run(retry().call(server))
    assert len(server.calls) == calls


def test_results_can_be_fetched_again_and_the_last_one_is_handed_over():
    async def scenario() -> tuple[object, int]:
        answers = [Response(503), Response(503, retry_after="7"), Response(503)]
        made = 0

        async def fetch() -> Response:
            nonlocal made
            made += 1
            return answers[made - 1]

        last = await retry(retry_result=lambda response: response.status_code == 503).call(fetch)
        assert asyncio.get_running_loop().time() >= 7
        return last is answers[-1], made

    assert virtual_time.run(scenario()) == (True, 3)


@pytest.mark.parametrize(
    ("error", "calls"),
    [
        (ConnectionResetError("after it was sent"), 1),
        (TimeoutError("who knows"), 1),
        (ExternalServiceError("sent", details={"reason": "read_timeout"}), 1),
        (StatusError(Response(503)), 1),
        (ConnectionRefusedError("never sent"), 2),
        (ExternalServiceError("never sent", details={"reason": "connect_failed"}), 2),
        (StatusError(Response(429)), 2),
        (RateLimitError("not done"), 2),
    ],
)
def test_a_call_that_is_not_idempotent_is_repeated_only_if_it_had_no_effect(error, calls):
    server = Server(error)
    policy = retry(idempotent=False)
    if calls == 1:
        with pytest.raises(type(error)) as caught:
            virtual_time.run(policy.call(server))
        assert "not idempotent" in caught.value.__notes__[0]
    else:
        virtual_time.run(policy.call(server))
    assert len(server.calls) == calls


def test_with_an_idempotency_key_it_is_repeated():
    server = Server(down())
    assert virtual_time.run(retry(idempotent=False).with_idempotency_key().call(server)) == "fine"


@pytest.mark.parametrize("asked", ["20", "Tue, 01 Jan 2030 00:00:20 GMT"])
def test_retry_after_is_honoured_in_seconds_and_as_a_date(asked):
    server = Server(StatusError(Response(503, retry_after=asked)))
    virtual_time.run(retry(base_seconds=1).call(server))
    assert server.calls[0] == 0
    assert 20 <= server.calls[1] <= 21


def test_those_who_were_told_the_same_time_do_not_come_back_together():
    async def scenario() -> list[float]:
        policy, back = retry(base_seconds=1), []

        async def caller() -> None:
            server = Server(RateLimitError("busy", retry_after=20))
            await policy.call(server)
            back.append(server.calls[1])

        await asyncio.gather(*[caller() for _ in range(100)])
        return sorted(back)

    back = virtual_time.run(scenario())
    assert 20 <= back[0] < back[-1] <= 21
    assert back[90] - back[10] > 0.5


def test_a_server_that_asks_for_more_patience_than_allowed_is_left_alone():
    server = Server(ExternalServiceError("busy", retry_after=61))
    with pytest.raises(ExternalServiceError) as caught:
        virtual_time.run(retry(max_retry_after_seconds=60).call(server))
    assert caught.value.__notes__ == ["not tried again after 1 attempt: the server asked for a pause of 61 s"]
    assert server.calls == [0]


def test_each_attempt_has_its_time_and_the_last_says_so():
    server = Server(100.0, 100.0, 100.0)
    with pytest.raises(AttemptTimedOut):
        virtual_time.run(retry(attempt_seconds=2, attempts=3).call(server))
    assert len(server.calls) == 3


def test_an_attempt_that_fails_before_it_can_be_awaited_leaves_no_time_limit_behind():
    def broken() -> None:
        raise TypeError("a bug")

    async def scenario() -> float:
        with pytest.raises(TypeError):
            await retry(attempt_seconds=2).call(broken)
        await asyncio.sleep(10)
        return asyncio.get_running_loop().time()

    assert virtual_time.run(scenario()) == 10


def test_a_time_limit_of_somebody_else_is_not_taken_for_ours():
    with pytest.raises(TimeoutError, match="theirs"):
        virtual_time.run(retry(attempt_seconds=2, attempts=1).call(Server(TimeoutError("theirs"))))


@given(
    st.floats(0.1, 20),
    st.lists(st.one_of(st.floats(0, 10), st.just(None)), max_size=12),
    st.integers(0, 1000),
    st.booleans(),
)
def test_no_attempt_starts_after_the_deadline_and_nothing_outlasts_it(seconds, behaviour, seed, around):
    server = Server(*[down() if each is None else each for each in behaviour])

    async def scenario() -> None:
        config = RetryConfig(
            attempts=20, attempt_seconds=0.1, total_seconds=None if around else seconds, idempotent=True
        )
        policy = Retry(config, budget=None, clock=LoopClock(NOW), chance=random.Random(seed))
        try:
            async with deadline(seconds if around else None):
                await policy.call(server)
        except (DeadlineExceeded, AttemptTimedOut, ConnectionResetError):
            pass
        assert asyncio.get_running_loop().time() <= seconds + 1e-5

    virtual_time.run(scenario())
    assert all(moment < seconds for moment in server.calls)


def test_three_layers_of_four_attempts_multiply_nothing_with_one_budget():
    async def scenario() -> float:
        budget = RetryBudget()
        layers = [retry(budget, attempts=4, base_seconds=0.01) for _ in range(3)]
        calls = 0

        async def dependency() -> None:
            nonlocal calls
            calls += 1
            raise down()

        async def user_call() -> None:
            with pytest.raises(ConnectionResetError):
                await layers[0].call(layers[1].call, layers[2].call, dependency)

        for _ in range(50):
            await user_call()
        calls = 0
        for _ in range(1000):
            await user_call()
        return calls / 1000

    assert 1.05 < virtual_time.run(scenario()) <= 1.2


@pytest.mark.parametrize("callers", [1, 50])
def test_nor_do_they_when_many_call_at_the_same_time_and_wait_between_attempts(callers):
    async def scenario() -> float:
        budget = RetryBudget()
        layers = [retry(budget, attempts=4, base_seconds=0.5) for _ in range(3)]
        calls = 0

        async def dependency() -> None:
            nonlocal calls
            calls += 1
            await asyncio.sleep(0.05)
            raise down()

        async def caller(times: int) -> None:
            for _ in range(times):
                with pytest.raises(ConnectionResetError):
                    await layers[0].call(layers[1].call, layers[2].call, dependency)

        await asyncio.gather(*[caller(20) for _ in range(callers)])
        calls = 0
        await asyncio.gather(*[caller(40) for _ in range(callers)])
        return calls / 40 / callers

    assert 1.05 <= virtual_time.run(scenario()) <= 1.2


def test_retries_in_backoff_count_against_the_budget():
    async def scenario() -> int:
        budget, calls = RetryBudget(reserve=5), 0
        policy = retry(budget, attempts=2, base_seconds=30)

        async def dependency() -> None:
            nonlocal calls
            calls += 1
            raise down()

        await asyncio.gather(*[policy.call(dependency) for _ in range(100)], return_exceptions=True)
        return calls

    assert 100 + 5 <= virtual_time.run(scenario()) <= 100 + 5 + 10


def test_a_retry_that_is_cancelled_in_its_pause_gives_its_share_back():
    async def scenario() -> float:
        budget = RetryBudget(reserve=1)
        task = asyncio.create_task(retry(budget, base_seconds=60).call(Server(down())))
        for _ in range(5):
            await asyncio.sleep(0)
        assert budget.balance == 0
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return budget.balance

    assert virtual_time.run(scenario()) == 1


def test_a_spent_budget_is_named():
    budget = RetryBudget(reserve=0)
    with pytest.raises(ConnectionResetError) as caught:
        virtual_time.run(retry(budget).call(Server(down())))
    assert "the retry budget is spent" in caught.value.__notes__[0]
    assert budget.refused == 1


@given(st.sampled_from(["full", "decorrelated"]), st.integers(0, 10_000), st.integers(1, 200))
def test_pauses_stay_in_their_range(jitter, seed, retries):
    config = RetryConfig(jitter=jitter, base_seconds=0.5, max_seconds=8, attempts=500)
    chance, pause = random.Random(seed), 0.0
    for number in range(1, retries + 1):
        before, pause = pause, backoff(config, number, pause, chance)
        if jitter == "full":
            assert 0 <= pause <= min(8, 0.5 * 2 ** (number - 1))
        else:
            assert 0.5 <= pause <= min(8, 3 * max(0.5, before))


@pytest.mark.parametrize(("jitter", "number", "low", "high"), [("full", 3, 0.6, 3.4), ("decorrelated", 1, 1.3, 2.7)])
def test_jitter_spreads_callers_over_the_whole_range(jitter, number, low, high):
    config, chance = RetryConfig(base_seconds=1, jitter=jitter), random.Random(3)
    pauses = sorted(backoff(config, number, 0, chance) for _ in range(1000))
    assert pauses[100] < low
    assert pauses[900] > high


@given(st.text(max_size=40))
def test_a_broken_retry_after_is_none_and_never_an_error(value):
    parsed = parse_retry_after(value, NOW)
    assert parsed is None or parsed >= 0


def test_the_decorator():
    server = Server(down())

    @retry()
    async def speak() -> str:
        """Says it."""
        return await server("spoken")

    assert virtual_time.run(speak()) == "spoken"
    assert speak.__doc__ == "Says it."


def test_the_presets_are_the_documented_ones():
    assert {name: (each.attempts, each.base_seconds, each.max_seconds) for name, each in PRESETS.items()} == {
        "database": (3, 0.5, 10),
        "external_api": (3, 1, 30),
        "connector": (5, 2, 60),
        "tts": (3, 1, 20),
        "redis": (2, 0.1, 1),
    }


@pytest.mark.parametrize(
    "settings",
    [
        {"attempts": 0},
        {"base_seconds": -1},
        {"jitter": "equal"},
        {"base_seconds": 9, "max_seconds": 8},
        {"total_seconds": 5, "attempt_seconds": 6},
        {"never": ("OSError",)},
    ],
)
def test_bad_settings_are_refused(settings):
    with pytest.raises(ConfigurationError) as refusal:
        RetryConfig(**settings)
    assert refusal.value.details["setting"] in settings


def test_a_hedge_answers_when_the_first_request_hangs_and_ends_it():
    ended = []

    async def scenario() -> tuple[str, float]:
        server = Server(1000.0)

        async def watched() -> str:
            try:
                return await server("hedged")
            except asyncio.CancelledError:
                ended.append(1)
                raise

        answer = await hedge(delay_seconds=0.2).call(watched)
        return answer, asyncio.get_running_loop().time()

    answer, took = virtual_time.run(scenario())
    assert (answer, ended) == ("hedged", [1])
    assert took == pytest.approx(0.2)


def test_a_fast_answer_costs_one_request():
    server = Server(0.1)
    virtual_time.run(hedge(delay_seconds=0.2).call(server))
    assert len(server.calls) == 1


def test_hedges_are_bounded_and_paid_for():
    server = Server(*[1000.0] * 10)

    async def scenario(budget: RetryBudget | None) -> None:
        async with deadline(60):
            await hedge(budget, delay_seconds=1, max_hedges=3).call(server)

    with pytest.raises(DeadlineExceeded):
        virtual_time.run(scenario(None))
    assert len(server.calls) == 4
    with pytest.raises(DeadlineExceeded):
        virtual_time.run(scenario(RetryBudget(reserve=1)))
    assert len(server.calls) == 4 + 2


def test_a_dependency_that_is_slow_for_everybody_is_not_sent_twice_as_much():
    server = Server(*[1.0] * 10_000)

    async def scenario() -> None:
        policy = hedge(RetryBudget(), delay_seconds=0.1)
        for _ in range(20):
            await asyncio.gather(*[policy.call(server) for _ in range(50)])

    virtual_time.run(scenario())
    assert 1000 < len(server.calls) <= 1000 * 1.1 + 10


def test_if_all_requests_fail_the_first_error_is_told():
    async def scenario() -> None:
        made = 0

        async def failing() -> None:
            nonlocal made
            made += 1
            number = made
            await asyncio.sleep(1)
            raise ConnectionError(f"number {number}")

        await hedge(delay_seconds=0.5).call(failing)

    with pytest.raises(ConnectionError, match="number 1"):
        virtual_time.run(scenario())


def test_cancelling_a_hedged_call_ends_all_its_requests():
    async def scenario() -> int:
        running = 0

        async def hang() -> None:
            nonlocal running
            running += 1
            try:
                await asyncio.sleep(1000)
            finally:
                running -= 1

        task = asyncio.create_task(hedge(delay_seconds=1).call(hang))
        await asyncio.sleep(5)
        assert running == 2
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return running

    assert virtual_time.run(scenario()) == 0


def test_what_is_not_idempotent_cannot_be_hedged():
    with pytest.raises(ConfigurationError, match="idempotent"):
        Hedge(HedgeConfig(delay_seconds=1), idempotent=False)


def test_deadlines_nest_and_only_shorten():
    async def scenario() -> list[float | None]:
        seen = [remaining()]
        async with deadline(10):
            await asyncio.sleep(1)
            async with deadline(100):
                seen.append(remaining())
            async with deadline(2):
                seen.append(remaining())
            seen.append(remaining())
            assert deadline_header() == {DEADLINE_HEADER: "9000"}
        seen.append(remaining())
        return seen

    assert virtual_time.run(scenario()) == [None, 9, 2, 9, None]


def test_nothing_starts_when_no_time_is_left():
    async def scenario() -> None:
        async with deadline(0):
            raise AssertionError("started")

    with pytest.raises(DeadlineExceeded):
        virtual_time.run(scenario())


@given(st.one_of(st.none(), st.text(max_size=12), st.integers(0, 10**12).map(str)))
def test_a_header_can_only_shorten(value):
    assert 0 <= deadline_from_header(value, at_most=5.0) <= 5.0


def test_a_callers_header_is_believed_when_it_is_shorter():
    assert deadline_from_header("1500", at_most=5) == 1.5


def test_retries_share_the_budget_of_the_process_unless_told_otherwise():
    process_budget.cache_clear()

    async def scenario() -> int:
        calls = 0

        async def dependency() -> None:
            nonlocal calls
            calls += 1
            raise down()

        config = RetryConfig(attempts=4, idempotent=True, base_seconds=0.01)
        layers = [Retry(config, clock=LoopClock(NOW)) for _ in range(3)]
        for _ in range(500):
            with pytest.raises(ConnectionResetError):
                await layers[0].call(layers[1].call, layers[2].call, dependency)
        return calls

    try:
        assert virtual_time.run(scenario()) <= 500 * 1.1 + 10
        assert process_budget().first_attempts == 500
    finally:
        process_budget.cache_clear()


def test_layers_in_other_tasks_count_as_one_call_too():
    async def scenario() -> int:
        budget = RetryBudget()
        outer, inner = retry(budget), retry(budget)

        async def fan_out() -> None:
            async with asyncio.TaskGroup() as group:
                for _ in range(3):
                    group.create_task(inner.call(asyncio.sleep, 0))

        await outer.call(fan_out)
        return budget.first_attempts

    assert virtual_time.run(scenario()) == 1


def test_a_budget_is_exact_under_threads():
    budget, made = RetryBudget(reserve=500), []

    def take() -> None:
        made.append(sum(budget.take() for _ in range(1000)))

    threads = [threading.Thread(target=take) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sum(made) == budget.taken == 500
    assert budget.refused == 7500


def test_a_task_that_outlives_the_deadline_starts_no_attempt():
    server = Server()

    async def scenario() -> None:
        async def late() -> None:
            await asyncio.sleep(10)
            await retry().call(server)

        async with deadline(5):
            task = asyncio.create_task(late())
        with pytest.raises(DeadlineExceeded):
            await task

    virtual_time.run(scenario())
    assert server.calls == []


def test_an_error_object_that_is_raised_for_ever_does_not_grow():
    error = down()

    async def scenario() -> None:
        for _ in range(100):
            with pytest.raises(ConnectionResetError):
                await retry(attempts=2, base_seconds=0.01).call(Server(error, error))

    virtual_time.run(scenario())
    assert error.__notes__ == ["not tried again after 2 attempts: no more attempts are allowed"]


def test_what_is_decided_is_told_and_a_deaf_observer_breaks_nothing(caplog):
    heard: list[Decision] = []

    def deaf(decision: Decision) -> None:
        raise RuntimeError("a bug")

    async def scenario() -> None:
        policy = retry(RetryBudget(reserve=1), observers=[deaf, heard.append], attempts=2)
        await policy.call(Server())
        await policy.call(Server(down()))
        for failure in (down(), ValueError("no"), RateLimitError("busy", retry_after=1000)):
            with pytest.raises(type(failure)):
                await policy.call(Server(failure, failure))

    virtual_time.run(scenario())
    assert [each.decision for each in heard] == [
        "retried",
        "recovered",
        "budget_spent",
        "not_retryable",
        "asked_to_wait_too_long",
    ]
    assert {(each.policy, each.dependency) for each in heard} == {("retry", "tts")}
    assert all(each.decision in DECISIONS[each.policy] for each in heard)
    assert "could not be told" in caplog.text


def test_a_hedge_tells_what_it_does():
    heard: list[Decision] = []
    policy = hedge(RetryBudget(reserve=1), observers=[heard.append], delay_seconds=0.2)
    virtual_time.run(policy.call(Server(1000.0)))
    virtual_time.run(policy.call(Server(1.0)))
    assert [each.decision for each in heard] == ["hedged", "hedge_won", "budget_spent"]


def test_of_two_answers_at_once_the_first_requests_is_taken_and_no_error_is_left_behind():
    complaints: list[object] = []

    async def scenario() -> str:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))
        made = 0

        async def both() -> str:
            nonlocal made
            made += 1
            number = made
            await asyncio.sleep(2 - number)
            if number == 2:
                raise down()
            return f"answer {number}"

        answer = await hedge(delay_seconds=1).call(both)
        gc.collect()
        return answer

    assert virtual_time.run(scenario()) == "answer 1"
    assert complaints == []
