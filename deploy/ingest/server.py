"""The web server of `mirante ingest`: routes, and what each is answered.

    POST /v1/events              JSON array or JSON lines: requests, responses, feedback, evaluations
    POST /v1/traces, /v1/logs    OTLP/HTTP, protobuf or JSON
    GET  /v1/controls            the state of every switch; ?wait=SECONDS waits for a change
    GET  /health, /metrics

Nothing is answered 200 or 202 before Kafka has acknowledged it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from signal import SIGTERM

from aiohttp import web

from deploy.ingest.access import EVENTS, cors, granted
from deploy.ingest.bodies import InFlight, aside, read_body
from deploy.ingest.events import read_events
from deploy.ingest.metrics import IngestMetrics
from deploy.ingest.otlp import JSON, LOGS, PROTOBUF, TRACES, read_export, refusal, response, topic_of
from deploy.ingest.problems import BadEvent, HttpProblem
from deploy.ingest.switches import Switches
from deploy.ingest.writer import EventWriter, ToWrite
from streams.batches import Record
from streams.settings import Settings
from streams.topics import Topics

log = logging.getLogger(__name__)

JSON_LINES = ("application/x-ndjson", "application/ndjson", "application/jsonl")
MOST_OF_A_PAGE = 64 * 1024
"""Bytes of a body with the public key: feedback is short, and everybody has the key."""

LONGEST_WAIT = 60.0
"""Seconds that `GET /v1/controls` may wait."""

SIGNALS = {"/v1/traces": TRACES, "/v1/logs": LOGS}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_GRANT = web.RequestKey("grant", str)


IN_FLIGHT = web.AppKey("in_flight", InFlight)
"""What is being read and written: not to be cut off when it stops."""


def application(settings: Settings) -> web.Application:
    """The web application; connects when it starts and closes its connections when it ends. Run it
    with ``auto_decompress=False``: bodies are decompressed within bounds."""
    return _Ingest(settings).app


class _Ingest:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._topics = Topics.of(settings)
        self._metrics = IngestMetrics()
        self._in_flight = InFlight(settings.ingest.max_in_flight)
        self._metrics.in_flight.set_function(lambda: self._in_flight.bytes)
        self._writer = EventWriter(settings)
        self._switches = Switches(settings)
        self.app = web.Application(middlewares=[self._guard])
        self.app[IN_FLIGHT] = self._in_flight
        routes = self.app.router
        routes.add_post(EVENTS, self._events)
        routes.add_options(EVENTS, self._preflight)
        for path in SIGNALS:
            routes.add_post(path, self._export)
        routes.add_get("/v1/controls", self._controls)
        routes.add_get("/health", self._health)
        routes.add_get("/metrics", self._render)
        self.app.cleanup_ctx.append(self._connections)
        self.app.on_shutdown.append(self._shut)

    async def _connections(self, app: web.Application) -> AsyncIterator[None]:
        writing = asyncio.create_task(self._writer.run())
        reading = asyncio.create_task(self._read_switches())
        for task in (writing, reading):
            task.add_done_callback(_end_with)
        yield
        for task in (reading, writing):
            task.cancel()
        await asyncio.gather(reading, writing, return_exceptions=True)

    async def _read_switches(self) -> None:
        await self._writer.connected.wait()  # then the topic is there
        await self._switches.run()

    async def _shut(self, app: web.Application) -> None:
        self._switches.close()

    # Who may, and what a refusal looks like

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            if request.method != "OPTIONS":
                grant = granted(self._settings.ingest, request.path, request.headers)
                request[_GRANT] = grant
            answer = await handler(request)
        except HttpProblem as problem:
            answer = _refused(request, problem)
        except web.HTTPException as error:
            answer = _refused(request, HttpProblem(error.status, _of_route(error)))
            answer.headers.update({k: v for k, v in error.headers.items() if k == "Allow"})
        answer.headers["Cache-Control"] = "no-store"
        answer.headers["X-Content-Type-Options"] = "nosniff"
        answer.headers.update(cors(self._settings.ingest, request.headers))
        resource = request.match_info.route.resource
        route = resource.canonical if resource is not None else "other"
        self._metrics.requests.labels(route, str(answer.status)).inc()
        return answer

    async def _preflight(self, request: web.Request) -> web.Response:
        if not cors(self._settings.ingest, request.headers):
            raise HttpProblem(403, "this origin's pages may not send here; name it in ingest.origins")
        return web.Response(status=204)

    # What comes in

    async def _events(self, request: web.Request) -> web.Response:
        if request.content_type not in (JSON, *JSON_LINES):
            raise HttpProblem(415, f"send {JSON} or {JSON_LINES[0]}, not {request.content_type}")
        public = request[_GRANT] == "feedback"
        most = self._settings.ingest.max_body
        with self._in_flight.share() as share:
            body = await read_body(request, share, min(most, MOST_OF_A_PAGE) if public else most)
            events = await aside(len(body), read_events, body)
            if public and (other := {event.kind for event in events} - {"feedback"}):
                raise HttpProblem(403, f"a page may send feedback and nothing else, not {other.pop()}")
            prefix = self._topics.prefix
            await self._store(
                EVENTS, len(body), [ToWrite(prefix + event.kind, event.record) for event in events]
            )
        return web.json_response({"accepted": len(events)}, status=202)

    async def _export(self, request: web.Request) -> web.Response:
        signal, content_type = SIGNALS[request.path], request.content_type
        if content_type not in (PROTOBUF, JSON):
            raise HttpProblem(415, f"send {PROTOBUF} or {JSON}, not {content_type}")
        with self._in_flight.share() as share:
            body = await read_body(request, share, self._settings.ingest.max_body)
            topic = topic_of(signal, self._settings)
            most = self._writer.limit(topic)
            export = await aside(len(body), read_export, signal, content_type, body, most)
            records = [ToWrite(topic, Record(None, message)) for message in export.messages]
            await self._store(request.path, len(body), records)
        return web.Response(body=response(signal, content_type, export), content_type=content_type)

    async def _store(self, route: str, size: int, records: list[ToWrite]) -> None:
        begun = time.perf_counter()
        await self._writer.store(records)
        self._metrics.writing.observe(time.perf_counter() - begun)
        self._metrics.bytes.labels(route).inc(size)
        for topic in {to.topic for to in records}:
            number = sum(to.topic == topic for to in records)
            self._metrics.records.labels(topic).inc(number)

    # What goes out

    async def _controls(self, request: web.Request) -> web.Response:
        try:
            wait = min(max(float(request.query.get("wait", "0")), 0.0), LONGEST_WAIT)
        except ValueError:
            raise HttpProblem(400, "wait: seconds, a number") from None
        known = request.headers.get("If-None-Match", "")
        etag, body = await self._switches.answer(known, wait)
        headers = {"ETag": etag}
        if body is None:
            return web.Response(status=304, headers=headers)
        return web.Response(body=body, content_type=JSON, headers=headers)

    async def _health(self, request: web.Request) -> web.Response:
        problems = [told for told in (await self._writer.problem(), self._switches.problem) if told]
        status = 503 if problems else 200
        return web.json_response({"ready": not problems, "problems": problems}, status=status)

    async def _render(self, request: web.Request) -> web.Response:
        return web.Response(body=self._metrics.render(), content_type="text/plain")


def _end_with(task: asyncio.Task[None]) -> None:
    """What ends by a fault of our own ends the process, in order: whoever started it starts it
    again, with a state that is known."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.critical("a task has failed", exc_info=error)
        os.kill(os.getpid(), SIGTERM)


def _refused(request: web.Request, problem: HttpProblem) -> web.Response:
    headers = {}
    if problem.retry_after is not None:
        headers["Retry-After"] = str(problem.retry_after)
    if problem.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if request.path in SIGNALS:
        kind = PROTOBUF if request.content_type == PROTOBUF else JSON
        body = refusal(kind, str(problem))
        return web.Response(status=problem.status, body=body, content_type=kind, headers=headers)
    told = {"error": str(problem)}
    if isinstance(problem, BadEvent):
        told |= {"place": problem.place, "field": problem.field}
    return web.json_response(told, status=problem.status, headers=headers)


def _of_route(error: web.HTTPException) -> str:
    if error.status == 404:
        return (
            "there is no such path; POST /v1/events, /v1/traces, /v1/logs, GET /v1/controls, "
            "/health, /metrics"
        )
    return error.reason or "error"
