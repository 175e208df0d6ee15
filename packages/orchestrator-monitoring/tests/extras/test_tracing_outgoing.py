"""Spans of what is asked of others: HTTP services by httpx, databases by SQLAlchemy."""

import asyncio
import gc

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.trace import SpanKind, StatusCode
from sqlalchemy import create_engine, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import create_async_engine
from tracing_support import FormRedactor, Traced

from orchestrator_monitoring._tracing.sqlalchemy_spans import query_of
from orchestrator_monitoring.tracing import TracedTransport, trace_engine


@pytest.fixture
def traced():
    made = Traced(redactor=FormRedactor())
    yield made
    made.tracing.shutdown()


def told(span):
    return {key: value for key, value in span.attributes.items() if not key.startswith("orchestrator.")}


class Body(httpx.AsyncByteStream):
    """A body that comes over a wire."""

    async def __aiter__(self):
        yield b"do"
        yield b"ne"


class Breaking(httpx.AsyncByteStream):
    async def __aiter__(self):
        yield b"one"
        raise httpx.ReadError("GET https://service/zoe@example.org?token=x")


def ask(
    traced, answer, *, redactor=None, url="https://user:secret@service/v1/guests/zoe@example.org?token=x", **request
):
    async def call():
        transport = TracedTransport(httpx.MockTransport(answer), provider=traced.provider, redactor=redactor)
        async with httpx.AsyncClient(transport=transport) as client:
            return await client.request("POST", url, **request)

    return asyncio.run(call())


class TestHttp:
    def test_a_request_and_its_answer(self, traced):
        seen = {}

        def answer(request):
            seen.update(request.headers)
            return httpx.Response(200, stream=Body())

        assert ask(traced, answer, redactor=FormRedactor(), headers={"traceparent": "an older place"}).text == "done"
        span = traced.only()
        assert (span.name, span.kind, span.status) == ("POST", SpanKind.CLIENT, StatusCode.UNSET)
        assert told(span) == {
            "http.request.method": "POST",
            "http.response.status_code": 200,
            "server.address": "service",
            "server.port": 443,
            "url.full": "https://service/v1/guests/[email]",
        }
        assert [event.name for event in span.events] == ["http.response.first_byte"]
        assert seen["traceparent"] == f"00-{span.trace_id:032x}-{span.span_id:016x}-03"

    def test_without_a_redactor_the_path_is_not_told(self, traced):
        ask(traced, lambda _: httpx.Response(200), url="http://service:81/zoe")
        assert traced.only().attributes["url.full"] == "http://service:81/REDACTED"

    @pytest.mark.parametrize("status", [400, 404, 500, 503])
    def test_a_refusal_is_an_error_of_the_client(self, traced, status):
        ask(traced, lambda _: httpx.Response(status))
        span = traced.only()
        assert (span.status, span.attributes["error.type"]) == (StatusCode.ERROR, str(status))

    def test_no_answer_is_an_error_without_its_text(self, traced):
        def answer(request):
            raise httpx.ConnectError("to zoe@example.org")

        with pytest.raises(httpx.ConnectError):
            ask(traced, answer)
        span = traced.only()
        assert (span.status, span.attributes["error.type"], span.events) == (StatusCode.ERROR, "ConnectError", ())
        assert span.status_text is None

    def test_a_body_that_breaks_off_is_an_error(self, traced):
        with pytest.raises(httpx.ReadError):
            ask(traced, lambda _: httpx.Response(200, stream=Breaking()))
        span = traced.only()
        assert (span.status, span.attributes["error.type"]) == (StatusCode.ERROR, "ReadError")

    def test_the_span_lasts_until_the_body_is_read(self, traced):
        async def call():
            transport = TracedTransport(
                httpx.MockTransport(lambda _: httpx.Response(200, stream=Body())), provider=traced.provider
            )
            async with (
                httpx.AsyncClient(transport=transport) as client,
                client.stream("GET", "http://service") as response,
            ):
                traced.ticks.advance(1)
                await response.aread()
                traced.ticks.advance(1)

        asyncio.run(call())
        assert traced.only().seconds == 1

    async def test_a_cancelled_request_is_told_and_is_no_error(self, traced):
        async def never(request):
            await asyncio.sleep(60)

        transport = TracedTransport(httpx.MockTransport(never), provider=traced.provider)
        async with httpx.AsyncClient(transport=transport) as client:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await client.get("http://service")
        span = traced.only()
        assert (span.status, span.attributes["error.type"]) == (StatusCode.UNSET, "CancelledError")


class TestStatements:
    async def test_statements_of_a_request_are_below_it_and_hold_no_value(self, traced):
        engine = create_async_engine("sqlite+aiosqlite://")
        trace_engine(engine, provider=traced.provider)
        async with engine.begin() as connection:
            await connection.execute(text("CREATE TABLE guests (name TEXT UNIQUE)"))
            with traced.tracer.start_as_current_span("work"):
                await connection.execute(
                    text("INSERT INTO guests VALUES (:name)"), [{"name": "Zoe"}, {"name": "Quentin"}]
                )
                await connection.execute(text("SELECT name FROM guests WHERE name = 'Zoe' LIMIT 1"))
        await engine.dispose()
        insert, select, work = traced.spans
        assert (insert.parent, select.parent) == (work, work)
        assert (insert.name, insert.kind) == ("INSERT guests", SpanKind.CLIENT)
        assert told(insert) == {
            "db.collection.name": "guests",
            "db.operation.batch": True,
            "db.operation.name": "INSERT",
            "db.query.text": "INSERT INTO guests VALUES (?)",
            "db.system.name": "sqlite",
        }
        assert told(select)["db.query.text"] == "SELECT name FROM guests WHERE name = ? LIMIT ?"
        assert "Zoe" not in repr([told(span) for span in traced.spans])

    def test_a_statement_that_fails_is_an_error_without_its_values(self, traced):
        engine = create_engine("sqlite://")
        trace_engine(engine, provider=traced.provider)
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE guests (name TEXT UNIQUE)"))
            connection.execute(text("INSERT INTO guests VALUES ('Zoe')"))
            with traced.tracer.start_as_current_span("work"), pytest.raises(IntegrityError):
                connection.execute(text("INSERT INTO guests VALUES ('Zoe')"))
        engine.dispose()
        insert, _ = traced.spans
        assert (insert.status, insert.attributes["error.type"]) == (StatusCode.ERROR, "IntegrityError")
        assert "Zoe" not in repr((insert.attributes, insert.events, insert.status_text))

    def test_without_a_span_around_it_a_statement_has_none(self, traced):
        engine = create_engine("sqlite://")
        trace_engine(engine, provider=traced.provider)
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
        engine.dispose()
        del connection, engine
        gc.collect()
        assert traced.spans == ()

    @pytest.mark.parametrize(
        ("statement", "shown"),
        [
            ("SELECT 'it''s', 1.5, x1 FROM t", "SELECT ?, ?, x1 FROM t"),
            ("SELECT $1, %s, :name", "SELECT $1, %s, :name"),
            ("SELECT $$Zoe$$, $tag$Zoe$tag$", "SELECT ?, ?"),
            ("SELECT  1\n FROM\tt", "SELECT ? FROM t"),
            ('SELECT "col1" FROM "t2"', 'SELECT "col1" FROM "t2"'),
            ("SELECT E'Zoe'", "SELECT E?"),
        ],
    )
    def test_literals(self, statement, shown):
        assert query_of(statement) == shown

    @given(st.text(alphabet=st.characters(codec="ascii", exclude_characters="'"), min_size=1))
    def test_no_quoted_text_is_shown(self, words):
        marked = f"zz{words}zz"
        assert "zz" not in query_of(f"SELECT * FROM t WHERE a = '{marked}' AND b = 1")
