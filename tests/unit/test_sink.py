"""The sink: every row is stored or refused with a reason, whatever goes wrong between."""

from __future__ import annotations

import asyncio
import base64
import gc
import tracemalloc
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from typing import Any

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from urllib3.exceptions import ProtocolError

import streams.sink
from deploy.embedded.ports import free_port
from schemas.outputs import DeadLetter
from schemas.rows import INSERT_SETTINGS
from streams.clickhouse import ClickHouseUnavailable
from streams.deadletters import Origin, dead_letter
from streams.metrics import Metrics
from streams.sink import Sink

METRICS = Metrics()


class SameThread(Executor):
    """Runs at once what it is given."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - belongs to the caller
            future.set_exception(error)
        return future


def server_error(code: int, text: str = "no") -> DatabaseError:
    error = DatabaseError(f"Code: {code}. DB::Exception: {text}")
    error.code = code
    return error


class FakeClient:
    """Stores blocks; refuses one that holds ``poison`` as a whole, as ClickHouse does; fails first with ``errors``."""

    def __init__(self) -> None:
        self.stored: defaultdict[str, list[bytes]] = defaultdict(list)
        self.blocks: list[list[bytes]] = []
        self.errors: list[Exception] = []
        self.memory = 10**9

    def raw_insert(self, table: str, *, insert_block: bytes, settings: dict[str, Any]) -> None:
        assert settings == dict(INSERT_SETTINGS)
        statement, *rows = insert_block.split(b"\n")
        assert not table  # the statement is in the block
        table = statement.decode().removeprefix("INSERT INTO ").removesuffix(" FORMAT JSONEachRow")
        self.blocks.append(rows)
        if self.errors:
            raise self.errors.pop(0)
        if len(rows) > self.memory:
            raise server_error(241, "memory limit exceeded")
        if any(b"poison" in row for row in rows):
            raise server_error(27, "cannot parse input")
        self.stored[table] += rows

    def close(self) -> None:
        """Nothing to close."""


@pytest.fixture
def delays(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """How long the sink would have waited."""
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(streams.sink.asyncio, "sleep", sleep)
    return waited


def sink_of(client: FakeClient) -> Sink:
    sink = Sink("http://127.0.0.1:1", METRICS)
    sink._client = client  # type: ignore[assignment]
    sink._threads = SameThread()  # type: ignore[assignment]
    return sink


def value_of(letter: DeadLetter) -> bytes:
    return base64.b64decode(letter.value or "")


async def test_rows_are_stored_in_their_tables() -> None:
    client = FakeClient()
    assert await sink_of(client).write({"a": [b"1", b"2"], "b": [b"3"], "c": []}) == []
    assert client.stored == {"mirante.a": [b"1", b"2"], "mirante.b": [b"3"]}


@given(st.lists(st.booleans(), max_size=40))
@hypothesis_settings(max_examples=100, deadline=None)
def test_refused_rows_are_found_and_all_others_stored_once(poisoned: list[bool]) -> None:
    rows = [b"%s-%d" % (b"poison" if bad else b"good", n) for n, bad in enumerate(poisoned)]
    client = FakeClient()
    letters = asyncio.run(sink_of(client).write({"a": rows}))
    assert client.stored["mirante.a"] == [row for row in rows if b"good" in row]
    assert [value_of(letter) for letter in letters] == [row for row in rows if b"poison" in row]
    assert all((x.source, x.topic, x.stage) == ("clickhouse", "a", "sink") and "Code: 27" in x.reason for x in letters)
    assert len({x.offset for x in letters}) == len(letters)


async def test_the_same_refused_row_is_the_same_dead_letter() -> None:
    first, second = [(await sink_of(FakeClient()).write({"a": [b"poison"]}))[0] for _ in range(2)]
    assert (first.topic, first.offset) == (second.topic, second.offset)


@pytest.mark.parametrize(
    "error",
    [
        OSError("connection refused"),
        ConnectionResetError(),
        ProtocolError("connection broken"),
        OperationalError("timed out"),
        DatabaseError("no code"),
        server_error(60, "unknown table"),
        server_error(159, "timeout exceeded"),
        server_error(202, "too many simultaneous queries"),
        server_error(252, "too many parts"),
        server_error(516, "authentication failed"),
    ],
    ids=str,
)
async def test_what_is_not_the_rows_fault_is_tried_again_until_it_succeeds(error: Exception, delays: list[float]) -> None:
    client = FakeClient()
    client.errors = [error] * 12
    sink = sink_of(client)
    assert await sink.write({"a": [b"1", b"2"]}) == []
    assert client.stored["mirante.a"] == [b"1", b"2"]
    assert client.blocks == [[b"1", b"2"]] * 13
    assert sink.failing_since is None
    assert len(delays) == 12
    assert delays[0] <= streams.sink.FIRST_DELAY
    assert streams.sink.LONGEST_DELAY / 2 <= delays[-1] <= streams.sink.LONGEST_DELAY


async def test_a_server_that_cannot_be_reached_is_tried_again(delays: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    client, attempts = FakeClient(), iter([ClickHouseUnavailable("away"), ClickHouseUnavailable("away"), None])

    def connect(url: str) -> FakeClient:
        if (error := next(attempts)) is not None:
            raise error
        return client

    monkeypatch.setattr(streams.sink, "connect", connect)
    sink = sink_of(client)
    sink._client = None
    assert await sink.write({"a": [b"1"]}) == []
    assert client.stored["mirante.a"] == [b"1"]
    assert len(delays) == 2


async def test_attempts_that_failed_hold_no_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """A block was held by the frames of its exception until the next full garbage collection: hundreds of megabytes in ten minutes."""
    sink, size, attempts = Sink(f"http://127.0.0.1:{free_port()}", METRICS), 4_000_000, []
    unpatched, enough = streams.sink.connect, asyncio.Event()

    def connect(url: str) -> Any:
        attempts.append(url)
        if len(attempts) == 8:
            loop.call_soon_threadsafe(enough.set)
        return unpatched(url)

    monkeypatch.setattr(streams.sink, "connect", connect)
    monkeypatch.setattr(streams.sink, "FIRST_DELAY", 0.01)
    monkeypatch.setattr(streams.sink, "LONGEST_DELAY", 0.01)
    loop = asyncio.get_running_loop()
    gc.disable()
    tracemalloc.start()
    try:
        writing = asyncio.ensure_future(sink.write({"a": [b"x" * size]}))
        await enough.wait()
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        gc.enable()
        sink.close()
    writing.cancel()
    assert held < 4 * size


async def test_it_says_why_inserts_fail_while_they_do(monkeypatch: pytest.MonkeyPatch) -> None:
    client = FakeClient()
    client.errors = [server_error(60, "unknown table")]
    sink, said = sink_of(client), []

    async def sleep(seconds: float) -> None:
        said.append(sink.failing_since)

    monkeypatch.setattr(streams.sink.asyncio, "sleep", sleep)
    await sink.write({"a": [b"1"]})
    assert said == ["a: unknown table"]


async def test_a_block_that_takes_too_much_memory_is_halved_and_a_single_row_waits_for_memory(delays: list[float]) -> None:
    client = FakeClient()
    client.memory = 3
    assert await sink_of(client).write({"a": [b"%d" % n for n in range(10)]}) == []
    assert client.stored["mirante.a"] == [b"%d" % n for n in range(10)]
    assert not delays
    client.errors = [server_error(241)]
    assert await sink_of(client).write({"a": [b"alone"]}) == []
    assert len(delays) == 1


async def test_inserts_are_bounded_in_rows_and_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams.sink, "MAX_ROWS", 3)
    monkeypatch.setattr(streams.sink, "MAX_BYTES", 10)
    client = FakeClient()
    rows = [b"1", b"2", b"3", b"4", b"x" * 8, b"y" * 8, b"z" * 50, b"5"]
    await sink_of(client).write({"a": rows})
    assert client.blocks == [[b"1", b"2", b"3"], [b"4", b"x" * 8], [b"y" * 8], [b"z" * 50], [b"5"]]


async def test_dead_letters_become_rows_and_one_that_is_refused_stops_nothing() -> None:
    client = FakeClient()
    origin = Origin("llm.requests", 1, 2, 0, None, b"{", [])
    letters = [dead_letter(origin, source="c", stage="s", reason=reason) for reason in ("bad", "poison")]
    await sink_of(client).write_letters(letters)
    (row,) = client.stored["mirante.deadletter_data"]
    assert b'"reason":"bad"' in row
