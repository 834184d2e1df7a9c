"""ClickHouse's HTTP interface over the engine, for loopback.

Every statement runs in a thread of its own, at most `slots` at a time; more wait their turn. The event loop only moves
bytes. The engine belongs to the person who started it: with a token, every statement must carry it as password (the user's
name is not looked at). What a browser does on behalf of a web page is refused.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from aiohttp import web

from deploy.embedded.clickhouse.answers import DISPLAY_NAME, content_type, exception_block, exception_tag, summary
from deploy.embedded.clickhouse.calls import NETWORK_ERROR, PIECE, Body, HttpCall, read_call
from deploy.embedded.clickhouse.codings import encoder
from deploy.embedded.clickhouse.confinement import check
from deploy.embedded.clickhouse.engine import BLOCKWISE_FORMATS, Blocks, Engine, Insert, StatementSummary, identifier
from deploy.embedded.clickhouse.errors import READONLY, ClickHouseError, http_status, server_error
from deploy.embedded.clickhouse.guard import authenticate, challenge, refuse_foreign_pages
from deploy.embedded.clickhouse.sessions import HttpSession, Sessions
from deploy.embedded.clickhouse.statements import DataInsert, Statement, find_data_insert, read_statement
from deploy.embedded.clickhouse.work import WorkThreads
from deploy.embedded.clickhouse.workspace import Workspace

log = logging.getLogger(__name__)

MAX_STATEMENT = 64 * PIECE
QUERY_IS_TOO_LARGE = 229
READ_BUFFER = 512 * 1024
_HELD_ALIVE = 3600.0
_SWEEP = 5.0


class Server:
    """The application and what it holds: slots, threads, sessions. `app()` once, `close()` at the end."""

    def __init__(self, engine: Engine, slots: int, token: str = "") -> None:
        self._engine = engine
        self._token = token
        self._slots = asyncio.Semaphore(slots)
        self._work = WorkThreads(engine, slots)
        self._sessions = Sessions()
        self._sweeper: asyncio.Task[None] | None = None
        self._serial = 0
        handle = engine.handle()
        self._timezone: str = handle.rows("SELECT timezone() AS name")[0]["name"]
        handle.close()

    def app(self) -> web.Application:
        """The aiohttp application; run it with `handler_cancellation` and without aiohttp's own decompression."""
        app = web.Application(middlewares=[refuse_foreign_pages])
        app.router.add_get("/ping", _ok)
        app.router.add_get("/replicas_status", _ok)
        app.router.add_route("*", "/", self._answer)
        app.on_startup.append(self._start)
        return app

    async def _start(self, _: web.Application) -> None:
        self._sweeper = asyncio.create_task(self._sweep())

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP)
            await self._close_all(self._sessions.expired())

    async def drain(self, seconds: float) -> bool:
        """Let what runs end by itself for a while, then stop it. True if nothing runs any more."""
        return await self._work.drain(seconds)

    async def close(self) -> None:
        """Close the sessions and threads; nothing may run any more."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        await self._close_all(self._sessions.expired(everything=True))
        self._work.close()

    async def _close_all(self, workspaces: Sequence[Workspace]) -> None:
        for workspace in workspaces:
            await self._work.run(workspace.close)

    # One request

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if request.method in ("GET", "HEAD") and not request.query.get("query"):
            return await _ok(request)
        try:
            if self._token:
                authenticate(request, self._token)
            call = await read_call(request)
            body = Body(request)
        except ClickHouseError as error:
            return _error_answer(error, challenge(error))
        headers = {
            "X-ClickHouse-Server-Display-Name": DISPLAY_NAME,
            "X-ClickHouse-Query-Id": call.query_id,
            "X-ClickHouse-Timezone": self._timezone,
        }
        self._serial += 1
        tag = f"{call.query_id} #{self._serial}"  # query ids are the client's and may repeat
        with self._work.registered(tag):
            try:
                return await self._execute(request, call, body, headers, tag)
            except ClickHouseError as error:
                return _error_answer(error, headers)

    async def _execute(
        self, request: web.Request, call: HttpCall, body: Body, headers: dict[str, str], tag: str
    ) -> web.StreamResponse:
        pieces = body.pieces()
        try:
            sql, insert = await _read_head(call, pieces)
            if insert is None:
                statement = read_statement(sql)
                if call.reads_only and not (statement.only_reads or statement.keyword in ("USE", "SET")):
                    raise _read_only()
            elif call.reads_only:
                raise _read_only()
            else:
                statement = Statement("INSERT", None)
            async with self._workspace(call) as workspace, self._slots:
                # In the same trip to a thread as what follows: a small query is mostly such trips.
                def prepare() -> None:
                    _prepare(workspace, call, statement, tag)

                if insert is not None:
                    return await self._insert(workspace, prepare, call, insert, sql[insert.data_begins :], pieces, headers)
                answer = await self._query(request, workspace, prepare, call, statement, sql, headers, tag)
                if statement.keyword == "USE":
                    await self._work.run(workspace.note_database)
                return answer
        except (ConnectionError, web.RequestPayloadError) as problem:
            raise server_error(NETWORK_ERROR, "NETWORK_ERROR", f"The client went away: {problem}") from problem
        finally:
            await pieces.aclose()  # type: ignore[attr-defined]

    @asynccontextmanager
    async def _workspace(self, call: HttpCall) -> AsyncIterator[Workspace]:
        if call.session_id is None:
            workspace = Workspace(self._engine, lasting=False)
            try:
                yield workspace
            finally:
                await self._work.run(workspace.close)
            return
        session: HttpSession = self._sessions.take(call.session_id, call.session_timeout, call.session_check)
        try:
            await self._close_all(session.retired)
            session.retired.clear()
            if session.workspace is None:
                session.workspace = Workspace(self._engine, lasting=True)
            yield session.workspace
        finally:
            if call.close_session:
                session.timeout = 0.0
            self._sessions.give_back(session)

    # The three kinds of statement: data in, result as a whole, result block by block

    async def _insert(
        self,
        workspace: Workspace,
        prepare: Callable[[], None],
        call: HttpCall,
        insert: DataInsert,
        first: bytes,
        pieces: AsyncIterator[bytes],
        headers: dict[str, str],
    ) -> web.Response:
        def begin() -> Insert:
            prepare()
            # send_insert has no place for parameters, SET has
            workspace.handle.set({f"param_{name}": value for name, value in call.params.items()})
            return workspace.handle.insert(insert.statement, insert.format)

        inserting = await self._work.run(begin)
        try:
            if insert.format == "Values":  # expressions, not only data
                first += b"".join([piece async for piece in pieces])
                await self._work.run(lambda: check(first, call.params.values()))
            if first:
                await self._work.run(lambda: inserting.append(first))
            async for piece in pieces:
                await self._work.run(lambda piece=piece: inserting.append(piece))  # type: ignore[misc]
            counts = await self._work.run(inserting.finish)
        finally:
            await self._work.run(inserting.cancel)
        return web.Response(
            headers=headers | {"X-ClickHouse-Summary": summary(counts)}, content_type="text/plain", charset="UTF-8"
        )

    async def _query(
        self,
        request: web.Request,
        workspace: Workspace,
        prepare: Callable[[], None],
        call: HttpCall,
        statement: Statement,
        sql: bytes,
        headers: dict[str, str],
        tag: str,
    ) -> web.StreamResponse:
        text = sql.decode("utf-8", errors="surrogateescape")
        output_format = statement.format or call.default_format
        if statement.answers:
            headers = headers | {"X-ClickHouse-Format": output_format, "Content-Type": content_type(output_format)}
        else:
            headers = headers | {"Content-Type": "text/plain; charset=UTF-8"}
        stoppable = tag if statement.only_reads else None
        if statement.is_query and output_format in BLOCKWISE_FORMATS and not call.wait_end_of_query:

            def begin() -> Blocks:
                prepare()
                return workspace.handle.blocks(text, output_format, call.params)

            blocks = await self._work.run(begin)
            try:
                return await self._stream(request, blocks, call, headers, stoppable)
            finally:
                if not blocks.ended:
                    await self._work.run(blocks.close)
        coder = encoder(call.accept_encoding) if statement.answers else None

        def run() -> tuple[bytes, StatementSummary]:
            prepare()
            result = workspace.handle.run(text, output_format, call.params)
            return (coder.feed(result.body) + coder.finish() if coder else result.body), result.counts

        body, counts = await self._work.run(run, stoppable)
        if coder is not None:
            headers["Content-Encoding"] = coder.coding
        return web.Response(body=body, headers=headers | {"X-ClickHouse-Summary": summary(counts)})

    async def _stream(
        self, request: web.Request, blocks: Blocks, call: HttpCall, headers: dict[str, str], tag: str | None
    ) -> web.StreamResponse:
        coder = encoder(call.accept_encoding)
        mark = exception_tag()

        def advance() -> bytes | None:
            block = blocks.next()
            return block if block is None or coder is None else coder.feed(block)

        # The first block before the headers: most errors show there, and can still become a status.
        block = await self._work.run(advance, tag)
        answer = web.StreamResponse(
            headers=headers | {"X-ClickHouse-Summary": summary(StatementSummary()), "X-ClickHouse-Exception-Tag": mark}
        )
        if coder is not None:
            answer.headers["Content-Encoding"] = coder.coding
        await answer.prepare(request)
        try:
            while block is not None:
                await answer.write(block)
                block = await self._work.run(advance, tag)
        except ClickHouseError as error:
            text = exception_block(mark, error)
            await answer.write(coder.feed(text) + coder.finish() if coder else text)
            # No last chunk, so that also a client that knows no tags sees that the answer is not complete.
            answer.force_close()
            if request.transport is not None:
                request.transport.close()
            return answer
        if coder is not None:
            await answer.write(coder.finish())
        # aiohttp writes the last chunk once this request has let go of its session: the client may then use it at once.
        return answer


async def _read_head(call: HttpCall, pieces: AsyncIterator[bytes]) -> tuple[bytes, DataInsert | None]:
    """The statement, and where data begins in it. Reads the body only as far as the statement goes."""
    sql = call.sql
    if sql:
        insert = find_data_insert(sql)
        if insert is not None:
            rest = len(sql) > insert.data_begins
            return (sql + b"\n" if rest else sql), insert
    async for piece in pieces:
        sql = sql + (b"\n" if sql and sql is call.sql else b"") + piece
        insert = find_data_insert(sql)
        if insert is not None:
            return sql, insert
        if len(sql) > MAX_STATEMENT:
            raise server_error(QUERY_IS_TOO_LARGE, "QUERY_IS_TOO_LARGE", f"The statement is longer than {MAX_STATEMENT} bytes")
    return sql, None


def _prepare(workspace: Workspace, call: HttpCall, statement: Statement, tag: str) -> None:
    workspace.enter(call.settings, call.database, statement.keyword, tag)
    for table in call.tables:
        name = identifier(table.name)
        workspace.handle.run(f"DROP TEMPORARY TABLE IF EXISTS {name}")
        workspace.handle.run(f"CREATE TEMPORARY TABLE {name} ({table.structure})")
        insert = workspace.handle.insert(f"INSERT INTO {name}", table.format)
        insert.append(table.data)
        insert.finish()


def _read_only() -> ClickHouseError:
    text = (
        "Cannot execute query in readonly mode. For queries over HTTP, method GET implies readonly. "
        "You should use method POST for modifying queries."
    )
    return server_error(READONLY, "READONLY", text)


def _error_answer(error: ClickHouseError, headers: dict[str, str]) -> web.Response:
    return web.Response(
        status=http_status(error.code),
        text=error.message + "\n",
        headers=headers | {"X-ClickHouse-Exception-Code": str(error.code)},
    )


async def _ok(_: web.Request) -> web.StreamResponse:
    return web.Response(text="Ok.\n", content_type="text/html")


def runner(server: Server) -> web.AppRunner:
    """The application with the aiohttp settings it needs."""
    return web.AppRunner(
        server.app(),
        handle_signals=False,
        access_log=None,
        handler_cancellation=True,
        auto_decompress=False,
        read_bufsize=READ_BUFFER,
        max_line_size=PIECE,
        max_field_size=PIECE,
        keepalive_timeout=_HELD_ALIVE,
        shutdown_timeout=1.0,
    )
