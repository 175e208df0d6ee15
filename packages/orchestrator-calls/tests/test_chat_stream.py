"""What a model streams, what it is told, and what it may ask for: read strictly, and never trusted further than declared."""

from __future__ import annotations

import itertools
import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_calls._chat_prompt import LONGEST_INPUT, messages
from orchestrator_calls._chat_stream import MAX_TOKENS, ChatFailed, ChatStream, Usage
from orchestrator_calls._chat_tools import ChatTool, Parameter, declared, read_arguments
from orchestrator_calls.responder import Exchange, InputKind, TurnContext, TurnInput
from orchestrator_kernel.exceptions import ConfigurationError


def chunk(finish: str | None = None, index: int = 0, **delta: Any) -> str:
    return json.dumps({"choices": [{"index": index, "delta": delta, "finish_reason": finish}]})


def text_of(*chunks: str) -> str:
    stream = ChatStream()
    return "".join(map(stream.feed, chunks)) + stream.end()


def failure(*chunks: str) -> str:
    with pytest.raises(ChatFailed) as caught:
        text_of(*chunks)
    return caught.value.reason


def test_the_text_is_the_sum_of_its_pieces() -> None:
    assert (
        text_of(
            chunk(role="assistant", content=""),
            chunk(content="Good "),
            chunk(content="evening."),
            chunk("stop"),
            "[DONE]",
        )
        == "Good evening."
    )


def test_a_server_may_leave_out_what_is_not_needed() -> None:
    assert text_of(json.dumps({"choices": [{"delta": {"content": "Yes."}}]}), "[DONE]") == "Yes."
    assert text_of(json.dumps({"choices": []}), chunk("stop", content="Yes.")) == "Yes."
    assert text_of(json.dumps({"choices": [{"message": {"content": "Yes."}, "finish_reason": "stop"}]})) == "Yes."


def usage_of(*told: Any) -> Usage:
    stream = ChatStream()
    stream.feed(chunk("stop", content="Yes."))
    for each in told:
        stream.feed(json.dumps({"choices": [], "usage": each}))
    return stream.usage


def test_what_an_answer_took_is_what_was_told_last() -> None:
    assert usage_of() == Usage(None, None)
    assert usage_of(None) == Usage(None, None)
    assert usage_of({"prompt_tokens": 12, "completion_tokens": 0}) == Usage(12, 0)
    assert usage_of({"prompt_tokens": 12, "completion_tokens": 1}, None) == Usage(12, 1)
    assert usage_of({"prompt_tokens": 12, "completion_tokens": 1}, {"prompt_tokens": 12, "completion_tokens": 3}) == (
        Usage(12, 3)
    )


def test_the_piece_that_tells_it_may_have_no_choices() -> None:
    told = json.dumps({"usage": {"prompt_tokens": 12, "completion_tokens": 3}})
    assert text_of(chunk("stop", content="Yes."), told, "[DONE]") == "Yes."
    assert failure(json.dumps({"usage": None})) == "unreadable"


COUNTS = st.one_of(
    st.integers(), st.sampled_from([MAX_TOKENS, MAX_TOKENS + 1]), st.floats(), st.text(), st.booleans(), st.none(), st.lists(st.none())
)  # fmt: skip


@given(COUNTS, COUNTS)
def test_counts_that_cannot_be_are_none(prompt: Any, completion: Any) -> None:
    told = usage_of({"prompt_tokens": prompt, "completion_tokens": completion})
    for count, shown in ((prompt, told.prompt), (completion, told.completion)):
        possible = type(count) is int and 0 <= count <= MAX_TOKENS
        assert shown == (count if possible else None)


@pytest.mark.parametrize("told", ["many", 3, [], True])
def test_usage_that_is_no_object_does_not_spoil_the_answer(told: Any) -> None:
    assert usage_of(told) == Usage(None, None)


def test_only_the_first_choice_counts() -> None:
    assert text_of(chunk(content="Yes."), chunk(index=1, content="No."), chunk("stop")) == "Yes."


def test_what_comes_after_the_end_does_not_count() -> None:
    assert text_of(chunk("stop", content="Yes."), chunk(content=" Or no."), "[DONE]", chunk(content="!")) == "Yes."
    assert text_of(chunk("stop", content="Yes."), "[DONE]", "not json at all") == "Yes."


@pytest.mark.parametrize(
    ("chunks", "reason"),
    [
        ([], "truncated"),
        ([chunk(content="Good eve")], "truncated"),
        (["not json"], "unreadable"),
        (["[]"], "unreadable"),
        (["{}"], "unreadable"),
        ([json.dumps({"choices": [7]})], "unreadable"),
        ([json.dumps({"choices": [{"delta": "text"}]})], "unreadable"),
        ([json.dumps({"error": {"message": "overloaded"}})], "error"),
        ([chunk(refusal="I cannot help with that.")], "refused"),
        ([chunk(content="Well, "), chunk("content_filter")], "refused"),
        ([chunk(tool_calls=[{"index": 99, "function": {"name": "a"}}])], "unreadable"),
        ([chunk(tool_calls=[{"index": 0, "function": "a"}])], "unreadable"),
        ([chunk(tool_calls=[{"index": 0, "function": {"arguments": "a" * 9000}}])], "too_much"),
    ],
)
def test_an_answer_that_cannot_be_trusted_fails_with_a_reason(chunks: list[str], reason: str) -> None:
    assert failure(*chunks) == reason


def test_tool_calls_are_put_together_from_their_pieces() -> None:
    stream = ChatStream()
    for part in (
        {"index": 0, "id": "c1", "function": {"name": "book_table", "arguments": ""}},
        {"index": 0, "function": {"arguments": '{"guests"'}},
        {"index": 0, "function": {"arguments": ": 4}"}},
    ):
        assert stream.feed(chunk(tool_calls=[part])) == ""
    stream.feed(chunk("tool_calls"))
    assert [(call.name, call.arguments) for call in stream.calls] == [("book_table", '{"guests": 4}')]


def test_thoughts_without_number_do_not_take_long() -> None:
    begun = time.monotonic()
    assert text_of(chunk(content="<think>no</think>Yes. " * 45_000), chunk("stop")) == "Yes. " * 45_000
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize("index", [[], {"a": 1}, "0", 1])
def test_a_choice_that_was_not_asked_for_is_passed_over(index: object) -> None:
    told = {"choices": [{"index": index, "delta": {"content": "Other."}}]}
    assert text_of(json.dumps(told), chunk(content="Ours."), chunk("stop")) == "Ours."


@given(st.text("ab<>think/ ", max_size=40), st.lists(st.integers(0, 60), max_size=6))
def test_thoughts_are_left_out_however_the_text_is_cut(text: str, places: list[int]) -> None:
    def said(*pieces: str) -> str:
        return text_of(*[chunk(content=piece) for piece in pieces], chunk("stop"))

    whole = f"Yes.<think>{text}</think> No."
    edges = [0, *sorted(min(each, len(whole)) for each in places), len(whole)]
    pieces = [whole[start:end] for start, end in itertools.pairwise(edges)]
    assert said(*pieces) == said(whole)
    if "</think>" not in text:
        assert said(whole) == "Yes. No."


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["choices", "delta", "content", "index", "tool_calls", "function", "name", "error"]),
                inner,
                max_size=3,
            )
        ),
        max_leaves=12,
    )
)
def test_no_json_breaks_the_stream(value: Any) -> None:
    try:
        ChatStream().feed(json.dumps(value))
    except ChatFailed as failed:
        reason = failed.reason
    else:
        return
    assert reason in {"unreadable", "error", "refused", "too_much"}


# --- what the model is told ---------------------------------------------------------------------------------------------------


def told(
    text: str = "Do you have a table?", *, budget: int = 8000, history: tuple[Exchange, ...] = (), **context: Any
) -> list[dict[str, str]]:
    turn = TurnContext(
        call_id="call-1",
        tenant="harbour",
        turn="t1",
        language="en-US",
        input=TurnInput(kind=InputKind.SPEECH, text=text),
        history=history,
        now=datetime(2030, 1, 1, 12, 30, tzinfo=UTC),
        **context,
    )
    return messages("You are the desk of the Harbour House.", turn, "en-US", budget, context.get("pending", ""))  # type: ignore[return-value]


def test_the_instructions_come_first_and_the_caller_last() -> None:
    first, *_, last = told()
    assert first["role"] == "system"
    assert first["content"].startswith("You are the desk of the Harbour House.")
    assert "2030-01-01 12:30" in first["content"]
    assert last == {"role": "user", "content": "Do you have a table?"}


def test_what_nobody_heard_was_not_said() -> None:
    history = (Exchange("", "Good evening."), Exchange("Breakfast?", "From seven"), Exchange("Hello?", ""))
    assert [(each["role"], each["content"]) for each in told(history=history)[1:-1]] == [
        ("assistant", "Good evening."),
        ("user", "Breakfast?"),
        ("assistant", "From seven"),
        ("user", "Hello?"),
    ]


@given(st.lists(st.tuples(st.text("ab", max_size=30), st.text("cd", max_size=30)), max_size=10), st.integers(1, 200))
def test_the_newest_of_what_was_said_fits_into_the_budget(pairs: list[tuple[str, str]], budget: int) -> None:
    history = tuple(Exchange(*pair) for pair in pairs)
    kept = [each["content"] for each in told(history=history, budget=budget)[1:-1]]
    everything = [text for pair in pairs for text in pair if text]
    assert sum(map(len, kept)) <= budget
    assert everything[len(everything) - len(kept) :] == kept


@given(st.text(max_size=200))
def test_whatever_the_caller_says_is_only_ever_the_users(text: str) -> None:
    spoken = told(text, history=(Exchange(text, "Yes."),))
    plain = told("x", history=(Exchange("y", "Yes."),))
    assert [each["content"] for each in spoken if each["role"] == "system"] == [
        each["content"] for each in plain if each["role"] == "system"
    ]
    assert all(each["content"].isprintable() for each in spoken if each["role"] == "user")


def test_a_long_input_is_cut() -> None:
    assert len(told("a" * 5000)[-1]["content"]) == LONGEST_INPUT


def test_an_answer_that_was_cut_off_is_gone_on_with() -> None:
    said = told(said=("We have a table.",))
    assert said[-2] == {"role": "assistant", "content": "We have a table."}
    assert "cut off" in said[-1]["content"]


# --- what the model may ask for -----------------------------------------------------------------------------------------------

BOOK = ChatTool(
    name="book_table",
    description="Book a table.",
    parameters={
        "guests": Parameter(kind="integer"),
        "area": Parameter(options=("inside", "terrace"), required=False),
        "child": Parameter(kind="boolean", required=False),
        "budget": Parameter(kind="number", required=False),
        "name": Parameter(required=False),
    },
)


def test_tools_are_declared_as_the_protocol_has_them() -> None:
    book, end, transfer = (each["function"] for each in declared((BOOK,), ("operator",)))  # type: ignore[index, call-overload]
    assert (book["name"], end["name"], transfer["name"]) == ("book_table", "end_call", "transfer_call")
    assert book["parameters"]["required"] == ["question", "guests"]
    assert book["parameters"]["properties"]["area"] == {"type": "string", "enum": ["inside", "terrace"]}
    assert transfer["parameters"]["properties"]["target"]["enum"] == ["operator"]
    assert len(declared((), ())) == 1


def test_arguments_that_were_declared_are_read() -> None:
    text = '{"guests": 4, "area": "terrace", "child": true, "budget": 12.5, "name": "Müller", "other": null}'
    with_other = {**BOOK.parameters, "other": Parameter(required=False)}
    assert read_arguments(text, with_other) == {
        "guests": 4,
        "area": "terrace",
        "child": True,
        "budget": 12.5,
        "name": "Müller",
    }


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "{}", '{"guests": "4"}', '{"guests": 4.5}', '{"guests": true}', '{"guests": 4, "more": 1}', '{"guests": 4, "area": "roof"}',
        '{"guests": 4, "name": ["x"]}', '{"guests": 4, "name": "a\\u0000b"}', '{"guests": 4, "name": "\\ud800"}', '{"guests": 1e400}', '{"guests": NaN}',
        '{"guests": 4, "name": "' + "a" * 501 + '"}', "[" * 5000,
    ],
)  # fmt: skip
def test_arguments_that_were_not_declared_are_refused(text: str) -> None:
    with pytest.raises(ChatFailed) as caught:
        read_arguments(text, BOOK.parameters)
    assert caught.value.reason == "arguments"


@pytest.mark.parametrize("name", ["end_call", "transfer_call", "", "book table", "1st", "a" * 65])
def test_a_tool_needs_a_name_of_its_own(name: str) -> None:
    with pytest.raises(ConfigurationError):
        ChatTool(name=name, description="")


def test_an_argument_may_not_take_the_questions_place() -> None:
    with pytest.raises(ConfigurationError):
        ChatTool(name="ask", description="", parameters={"question": Parameter()})
