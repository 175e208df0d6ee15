"""A model's answers, spoken while they are written; and the script in its place, within the turn, whenever the model fails."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest
from calls_models import breaks_after, chunk, streams, tool, used, words
from calls_peers import Answer, Peer, drops, hangs, head, peer, replies, sends
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator_calls.chat_responder import ChatConfig, ChatResponder, ChatTool, ChatTurn, Parameter
from orchestrator_calls.responder import (
    Act,
    Exchange,
    HangUp,
    InputKind,
    Note,
    Remember,
    Say,
    Step,
    Transfer,
    TurnContext,
    TurnInput,
)
from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.http import HttpClientConfig, create_client
from orchestrator_kernel.ports import Json

BOOK = ChatTool(
    name="book_table",
    description="Book a table.",
    parameters={"guests": Parameter(kind="integer"), "time": Parameter()},
)
CONFIG: dict[str, Any] = {
    "model": "tests",
    "instructions": "You are the desk of the Harbour House.",
    "languages": ("en-US", "de-DE"),
    "tools": (BOOK,),
    "transfer_targets": ("operator",),
    "first_sentence": 0.5,
    "between": 0.3,
    "limit": 1.5,
}


class Script:
    """Says one sentence, and remembers that it was asked."""

    async def respond(self, context: TurnContext) -> AsyncGenerator[Step, None]:
        if context.input.kind is InputKind.SPEECH:
            yield Note("script", understood=True, confidence=0.5)
        yield Say(f"The script answers to {context.input.kind.value}.", "en-US")
        yield Remember({**context.memory, "script": True})


def turn(text: str = "Do you have a table?", **more: Any) -> TurnContext:
    given_input = more.pop("input", TurnInput(kind=InputKind.SPEECH, text=text, language=more.pop("heard", None)))
    return TurnContext(call_id="call-1", tenant="harbour", turn="t1", language="en-US", input=given_input, **more)


@asynccontextmanager
async def asking(answer: Answer, **config: Any) -> AsyncIterator[tuple[ChatResponder, Peer, list[ChatTurn]]]:
    turns: list[ChatTurn] = []
    async with peer(answer) as server, create_client(HttpClientConfig(base_url=server.url)) as client:
        yield (
            ChatResponder(ChatConfig(**{**CONFIG, **config}), client, fallback=Script(), observe=turns.append),
            server,
            turns,
        )


async def steps_of(responder: ChatResponder, context: TurnContext) -> list[Step]:
    async with aclosing(responder.respond(context)) as steps:
        return [step async for step in steps]


def said(steps: list[Step]) -> list[str]:
    return [step.text for step in steps if isinstance(step, Say)]


def note(steps: list[Step]) -> Note:
    [found] = [step for step in steps if isinstance(step, Note)]
    return found


SCRIPTED = ["The script answers to speech."]


# --- what the model says ------------------------------------------------------------------------------------------------------


async def test_what_an_answer_took_is_asked_for_and_told() -> None:
    async with asking(streams([*words("Yes, we do."), chunk("stop"), used(210, 9)])) as (responder, server, turns):
        steps = await steps_of(responder, turn())
    assert said(steps) == ["Yes, we do."]
    assert server.asked[0].json["stream_options"] == {"include_usage": True}
    assert (turns[0].call_id, turns[0].prompt_tokens, turns[0].completion_tokens) == ("call-1", 210, 9)


async def test_a_server_that_knows_no_such_member_is_not_asked() -> None:
    async with asking(streams([*words("Yes."), chunk("stop")]), usage=False) as (responder, server, turns):
        await steps_of(responder, turn())
    assert "stream_options" not in server.asked[0].json
    assert (turns[0].prompt_tokens, turns[0].completion_tokens) == (None, None)


async def test_what_a_failed_answer_took_is_told_as_well() -> None:
    async with asking(streams([chunk("stop"), used(210, 0)])) as (responder, _, turns):
        assert said(await steps_of(responder, turn())) == SCRIPTED
    assert (turns[0].outcome, turns[0].prompt_tokens, turns[0].completion_tokens) == ("script", 210, 0)


async def test_a_server_that_is_through_and_does_not_say_what_it_took_is_not_waited_for() -> None:
    answer = streams([*words("Yes, we do."), chunk("stop"), used(1, 1)], at=lambda number: 60.0 * (number == 5))
    async with asking(answer) as (responder, _, turns):
        assert said(await steps_of(responder, turn())) == ["Yes, we do."]
    assert (turns[0].outcome, turns[0].prompt_tokens) == ("answered", None)


async def test_the_last_sentence_is_not_held_back_by_what_is_said_of_the_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("orchestrator_calls.chat_responder.TAIL", 30.0)
    answer = streams([*words("Yes, we do."), chunk("stop"), used(210, 9)], at=lambda number: 0.5 * (number == 5))
    spoken_at, time = 0.0, asyncio.get_running_loop().time
    async with asking(answer) as (responder, _, turns), aclosing(responder.respond(turn())) as steps:
        async for step in steps:
            spoken_at = time() if isinstance(step, Say) else spoken_at
        assert time() - spoken_at > 0.25
    assert turns[0].prompt_tokens == 210


async def test_an_answer_that_is_whole_stands_though_what_follows_is_broken() -> None:
    for end in ({"error": {"message": "no usage"}}, {"choices": "none"}):
        async with asking(streams([*words("Yes, we do."), chunk("stop"), end])) as (responder, _, turns):
            assert said(await steps_of(responder, turn())) == ["Yes, we do."]
        assert (turns[0].outcome, turns[0].completion_tokens) == ("answered", None)


async def test_an_answer_is_spoken_in_sentences() -> None:
    answer = streams([*words("We have a table at 7.30 p.m. on Friday. Shall I book it?"), chunk("stop")])
    async with asking(answer) as (responder, server, turns):
        steps = await steps_of(responder, turn(memory={"notices": ["told"]}))
    assert said(steps) == ["We have a table at 7.30 p.m. on Friday.", "Shall I book it?"]
    assert note(steps) == Note("chat", understood=True)
    assert steps[-1] == Remember({"notices": ["told"]})
    [request] = server.asked
    assert request.path == "/v1/chat/completions"
    assert request.json["stream"] is True
    assert request.json["max_tokens"] == 300
    assert [each["role"] for each in request.json["messages"]] == ["system", "user"]
    [told] = turns
    assert (told.outcome, told.reason, told.tenant) == ("answered", "", "harbour")
    assert told.first_sentence is not None


async def test_the_first_sentence_is_there_while_the_second_is_written() -> None:
    answer = streams(
        [*words("We have a table. Shall"), chunk(content=" I book it?"), chunk("stop")], at=lambda n: 0.25 * (n == 6)
    )
    async with asking(answer) as (responder, _, _), aclosing(responder.respond(turn())) as steps:
        begun = time.monotonic()
        assert await anext(steps) == Say("We have a table.", "en-US")
        early = time.monotonic() - begun
        assert await anext(steps) == Say("Shall I book it?", "en-US")
        assert time.monotonic() - begun > early + 0.2


async def test_a_server_that_does_not_stream_is_understood_too() -> None:
    whole = {
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Yes. We do."}, "finish_reason": "stop"}]
    }
    async with asking(replies(200, whole)) as (responder, _, _):
        assert said(await steps_of(responder, turn())) == ["Yes.", "We do."]


async def test_the_answer_is_in_the_language_that_was_heard_where_it_is_spoken_here() -> None:
    async with asking(streams([*words("Ja."), chunk("stop")])) as (responder, server, _):
        steps = await steps_of(responder, turn("Haben Sie einen Tisch?", heard="de-AT"))
        assert Say("Ja.", "de-DE") in steps
        assert "de-DE" in server.asked[-1].json["messages"][0]["content"]
        assert Say("Ja.", "en-US") in await steps_of(responder, turn("Avete un tavolo?", heard="it-IT"))


async def test_marks_and_thoughts_are_not_spoken() -> None:
    answer = streams([*words("<think>The caller wants a table. Hmm.</think>**Yes**, we do. 😀"), chunk("stop")])
    async with asking(answer) as (responder, _, _):
        assert said(await steps_of(responder, turn())) == ["Yes, we do."]


async def test_what_was_said_before_is_told_as_it_was_heard() -> None:
    history = (Exchange("", "Good evening."), Exchange("Breakfast?", "From seven"))
    async with asking(streams([*words("To ten."), chunk("stop")])) as (responder, server, _):
        await steps_of(responder, turn("Until when?", history=history))
    told = [(each["role"], each["content"]) for each in server.asked[0].json["messages"][1:]]
    assert told == [
        ("assistant", "Good evening."),
        ("user", "Breakfast?"),
        ("assistant", "From seven"),
        ("user", "Until when?"),
    ]


async def test_an_answer_taken_up_by_another_process_goes_on_after_what_is_kept() -> None:
    async with asking(streams([*words("Shall I book it?"), chunk("stop")])) as (responder, server, _):
        steps = await steps_of(responder, turn(said=("We have a table.",)))
    assert said(steps) == ["We have a table.", "Shall I book it?"]
    assert server.asked[0].json["messages"][-2]["content"] == "We have a table."


async def test_an_answer_that_is_longer_than_it_may_be_ends_with_its_last_whole_sentence() -> None:
    answer = streams([*words("One is done. Two is not"), chunk("length")])
    async with asking(answer) as (responder, _, turns):
        steps = await steps_of(responder, turn())
    assert said(steps) == ["One is done."]
    assert note(steps).detail == "cut: length"
    assert turns[0].outcome == "cut"


@pytest.mark.parametrize(
    ("content", "most_tokens", "sentences"),
    [("Yes. ", 8192, 200), ("On and on. ", 20, 16), ("- \n", 8192, 0)],
)
async def test_a_server_that_does_not_keep_to_the_length_is_cut(content: str, most_tokens: int, sentences: int) -> None:
    answer = streams([*[chunk(content=content * 1000)] * 40, chunk("stop")])
    begun = time.monotonic()
    async with asking(answer, max_tokens=most_tokens) as (responder, _, turns):
        steps = await steps_of(responder, turn())
    assert time.monotonic() - begun < 1.4
    if sentences:
        assert said(steps) == [content.strip()] * sentences
        assert (note(steps).detail, turns[0].outcome) == ("cut: length", "cut")
    else:
        assert turns[0].outcome == "script"


async def test_an_answer_without_end_is_cut_at_the_limit() -> None:
    answer = streams([chunk(content="On and on. ")] * 200, pause=0.05)
    begun = time.monotonic()
    async with asking(answer) as (responder, _, turns):
        steps = await steps_of(responder, turn())
    assert 1.3 < time.monotonic() - begun < 3
    assert set(said(steps)) == {"On and on."}
    assert note(steps).detail == "cut: limit"
    assert turns[0].reason == "limit"


@pytest.mark.parametrize("kind", [InputKind.GREETING, InputKind.SILENCE, InputKind.DIGITS, InputKind.OUTCOME])
async def test_what_must_be_true_is_said_by_the_script(kind: InputKind) -> None:
    async with asking(hangs) as (responder, server, turns):
        steps = await steps_of(
            responder, turn(input=TurnInput(kind=kind, text="1234"), memory={"chat": {"proposed": {}}})
        )
    assert said(steps) == [f"The script answers to {kind.value}."]
    assert steps[-1] == Remember({"chat": {"proposed": {}}, "script": True})
    assert server.asked == []
    assert turns == []


async def test_a_turn_that_is_the_scripts_own_is_not_the_models() -> None:
    async with peer(hangs) as server, create_client(HttpClientConfig(base_url=server.url)) as client:
        responder = ChatResponder(
            ChatConfig(**CONFIG), client, fallback=Script(), reserved=lambda context: "record" in context.input.text
        )
        steps = await steps_of(responder, turn("I do not want to be recorded"))
    assert said(steps) == SCRIPTED
    assert note(steps).detail == ""
    assert server.asked == []


# --- tools --------------------------------------------------------------------------------------------------------------------

DETAILS: dict[str, Json] = {"guests": 4, "time": "19:30"}
PROPOSED: Mapping[str, Json] = {"chat": {"proposed": {"name": "book_table", "arguments": DETAILS}}}


async def test_an_action_is_asked_for_before_it_is_done() -> None:
    question = "A table for four at half past seven, shall I book it?"
    async with asking(streams(tool("book_table", question=question, **DETAILS))) as (responder, server, _):
        steps = await steps_of(responder, turn("A table for four at half past seven"))
        assert said(steps) == [question]
        assert not [step for step in steps if isinstance(step, Act)]
        assert steps[-1] == Remember(PROPOSED)
        again = await steps_of(responder, turn("Yes please", memory=PROPOSED))
        assert [step for step in again if isinstance(step, Act)] == [Act("book_table", DETAILS)]
        assert again[-1] == Remember({})
    assert "has not agreed yet" in server.asked[1].json["messages"][-2]["content"]
    assert server.asked[1].json["messages"][-1] == {"role": "user", "content": "Yes please"}


async def test_an_action_with_other_details_is_asked_for_again() -> None:
    async with asking(streams(tool("book_table", question="For five?", guests=5, time="19:30"))) as (responder, _, _):
        steps = await steps_of(responder, turn("No, five of us", memory=PROPOSED))
    assert said(steps) == ["For five?"]
    assert not [step for step in steps if isinstance(step, Act)]


async def test_a_question_that_is_not_answered_is_forgotten() -> None:
    async with asking(streams([*words("From seven to ten."), chunk("stop")])) as (responder, _, _):
        assert (await steps_of(responder, turn("When is breakfast?", memory=PROPOSED)))[-1] == Remember({})


async def test_the_model_may_transfer_and_end_the_call() -> None:
    async with asking(streams([*words("One moment."), *tool("transfer_call", target="operator", reason="asked")])) as (
        responder,
        server,
        _,
    ):
        steps = await steps_of(responder, turn("A person please"))
        assert said(steps) == ["One moment."]
        assert Transfer("operator", "asked") in steps
        server.answer = streams([*words("Goodbye."), *tool("end_call", reason="caller said goodbye")])
        assert HangUp("caller said goodbye") in await steps_of(responder, turn("Bye"))


@pytest.mark.parametrize(
    ("calls", "reason"),
    [
        (tool("drop_database", question="Shall I?"), "tool"),
        (tool("book_table", question="Shall I?", guests="four", time="19:30"), "arguments"),
        (tool("book_table", guests=4, time="19:30"), "arguments"),
        (tool("book_table", question="***", guests=4, time="19:30"), "arguments"),
        (tool("transfer_call", target="+49900123456", reason="x"), "arguments"),
        ([chunk("tool_calls")], "empty"),
    ],
)
async def test_a_tool_used_wrongly_is_not_used(calls: list[dict[str, Any]], reason: str) -> None:
    async with asking(streams(calls)) as (responder, _, turns):
        steps = await steps_of(responder, turn())
    assert said(steps) == SCRIPTED
    assert not [step for step in steps if isinstance(step, Act | Transfer | HangUp)]
    assert note(steps).detail == f"script: {reason}"
    assert turns[0].reason == reason


@given(text=st.text(max_size=60))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_nothing_that_a_caller_says_makes_an_action_happen_at_once(text: str) -> None:
    """The worst model does at once whatever anybody says: the caller is asked all the same."""
    async with asking(streams(tool("book_table", question="Shall I?", **DETAILS))) as (responder, server, _):
        steps = await steps_of(responder, turn(text))
    assert not [step for step in steps if isinstance(step, Act)]
    assert text not in {each["content"] for each in server.asked[0].json["messages"] if each["role"] == "system"}


# --- failures -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param(hangs, "slow", id="hangs"),
        pytest.param(streams([*words("Too late."), chunk("stop")], first=1.0), "slow", id="slow to begin"),
        pytest.param(streams([*words("Too slow to be of use"), chunk("stop")], pause=0.2), "slow", id="slow all along"),
        pytest.param(drops, "answer_broken|connection_lost", id="drops the connection"),
        pytest.param(replies(429, {"error": {"message": "slow down"}}, retry_after="3"), "status", id="too many requests"),
        pytest.param(replies(500, {}), "status", id="fails"),
        pytest.param(replies(401, {"error": {"message": "no key"}}), "status", id="refuses the key"),
        pytest.param(replies(302, {}, location="http://127.0.0.1:1/"), "status", id="redirects elsewhere"),
        pytest.param(replies(200, b"<html>Sign in</html>", "text/html"), "content_type", id="wrong content type"),
        pytest.param(replies(200, b"not json"), "unreadable", id="broken JSON"),
        pytest.param(replies(200, {"choices": [{"message": {"refusal": "No."}, "finish_reason": "stop"}]}), "refused", id="refuses"),
        pytest.param(streams([chunk(content="I "), chunk("content_filter")]), "refused", id="filtered"),
        pytest.param(streams([{"error": {"message": "overloaded"}}]), "error", id="an error in the stream"),
        pytest.param(streams(["{broken"]), "unreadable", id="a broken event"),
        pytest.param(streams([chunk("stop")]), "empty", id="says nothing"),
        pytest.param(streams([*words("***"), chunk("stop")]), "empty", id="says nothing that can be spoken"),
        pytest.param(streams(words("Half a sent"), done=False), "truncated", id="truncated"),
        pytest.param(breaks_after(words("Half a sent")), "answer_broken|connection_lost", id="breaks in the middle"),
        pytest.param(sends(head(200, "text/event-stream", length=100_000) + b"data: {}"), "answer_broken", id="lies about its length"),
        pytest.param(replies(200, b"\x1f\x8b\x08", "text/event-stream", content_encoding="gzip"), "compressed", id="compressed"),
        pytest.param(streams(["x" * 300_000]), "event_too_large", id="one endless event"),
    ],
)  # fmt: skip
async def test_the_script_answers_within_the_turn_when_the_model_cannot(answer: Answer, reason: str) -> None:
    begun = time.monotonic()
    async with asking(answer) as (responder, server, turns):
        steps = await steps_of(responder, turn())
        assert said(steps) == SCRIPTED
        assert time.monotonic() - begun < 1.5
        assert len(server.asked) == 1
        async with asyncio.timeout(2):
            while server.open:  # the connection is not left to the server
                await asyncio.sleep(0.01)
    assert note(steps) == Note("script", True, 0.5, f"script: {turns[0].reason}")
    assert turns[0].outcome == "script"
    assert turns[0].reason in reason.split("|")
    assert steps[-1] == Remember({"script": True})


async def test_a_model_that_stalls_after_a_sentence_is_gone_on_for_by_the_script() -> None:
    answer = streams([*words("We have a table. And"), chunk(content=" more.")], at=lambda n: 2.0 * (n == 6))
    async with asking(answer) as (responder, _, turns):
        steps = await steps_of(responder, turn())
    assert said(steps) == ["We have a table.", *SCRIPTED]
    assert note(steps).detail == "script: stalled"
    assert turns[0].first_sentence is not None


async def test_a_server_that_says_it_is_through_is_believed() -> None:
    answer = streams([*words("Yes."), chunk("stop"), *words("Or rather no."), chunk("stop")], then=3)
    begun = time.monotonic()
    async with asking(answer) as (responder, _, _):
        assert said(await steps_of(responder, turn())) == ["Yes."]
    assert time.monotonic() - begun < 1.5  # nor is the open connection waited for


async def test_nobody_at_the_port_is_answered_by_the_script() -> None:
    async with create_client(HttpClientConfig(base_url="http://127.0.0.1:9")) as client:
        responder = ChatResponder(ChatConfig(**CONFIG), client, fallback=Script())
        assert note(await steps_of(responder, turn())).detail == "script: connect_failed"


async def test_a_turn_that_is_cancelled_leaves_nothing_open_and_is_not_counted() -> None:
    async with asking(streams(words("One. Two. Three."), then=30)) as (responder, server, turns):
        async with aclosing(responder.respond(turn())) as steps:
            assert await anext(steps) == Say("One.", "en-US")
        async with asyncio.timeout(2):
            while server.open:
                await asyncio.sleep(0.01)
    assert turns == []


@pytest.mark.parametrize(
    "options",
    [
        {"model": ""},
        {"languages": ()},
        {"path": ""},
        {"limit": 0},
        {"first_sentence": -1},
        {"max_tokens": 0},
        {"tools": (BOOK, BOOK)},
    ],
)
def test_a_setting_that_cannot_be_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        ChatConfig(**{**CONFIG, **options})


def test_a_config_shows_no_instructions() -> None:
    assert "Harbour" not in repr(ChatConfig(**CONFIG))
