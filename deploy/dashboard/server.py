"""The dashboard's web server: static pages, named queries, and two guarded actions.

Nobody but the page itself gets in: the ``Host`` must be one of ours (a page of another site that has
its name resolved to this machine is turned away), requests of other sites are refused, and what
changes something needs the token, a JSON body and the same origin. Beyond loopback the token is
needed for reading as well.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aiohttp import ClientError, ClientSession, ClientTimeout, web

from deploy.dashboard.actions import ActionError, Quiet, Switch, quiet, read_action, switch
from deploy.dashboard.budgets import budgets_of, standing, today
from deploy.dashboard.kept import KeptAnswers
from deploy.dashboard.learning import learning
from deploy.dashboard.params import ParamError, Whole, read_params
from deploy.dashboard.queries import QUERIES
from deploy.dashboard.source import LONGEST_KEPT, QuerySource, SourceError
from deploy.dashboard.wording import reworded
from streams.clickhouse import ClickHouseUnavailable
from streams.kafka import BrokerUnavailable
from streams.settings import Settings, SettingsError

STATIC = Path(__file__).with_name("static")
PAGES = (
    "now",
    "costs",
    "quality",
    "topics",
    "alerts",
    "calls",
    "call",
    "prompts",
    "switches",
    "checklist",
    "health",
)
LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]", "::1"})
MAX_BODY = 64 * 1024
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; font-src 'self'; form-action 'none'; frame-ancestors 'none'; "
        "base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}

BEAT = 5
"""Seconds within which all who ask about now ask about the same moment."""
WORKERS_KEPT = 4.0
"""Seconds for which the workers' word is kept: pages ask every five."""

_HOURS = (Whole("hours", 1, 24 * 31, 24),)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Options:
    """What a dashboard shows and who may look.

    ``workers``: base URLs of workers whose health is shown. ``hosts``: names under which the page is
    reached beyond loopback. ``open_to_read``: whether reading needs no token (loopback only).
    """

    settings: Settings
    token: str
    workers: Sequence[str] = ()
    hosts: frozenset[str] = LOOPBACK
    open_to_read: bool = True
    version: str = ""
    extra: dict[str, Any] = field(default_factory=dict)


def application(options: Options) -> web.Application:
    """The web application; closes its connections when it is shut down."""
    return _Dashboard(options).app


class _Dashboard:
    def __init__(self, options: Options) -> None:
        self._options = options
        self._source = QuerySource(options.settings.clickhouse_url)
        self._kept = KeptAnswers()
        self._session: ClientSession | None = None
        self.app = web.Application(middlewares=[self._guard], client_max_size=MAX_BODY)
        routes = self.app.router
        routes.add_get("/", self._index)
        for page in PAGES:
            routes.add_get(f"/{page}", self._index)
        routes.add_get("/runbooks", self._runbooks)
        routes.add_get("/health/live", self._live)
        routes.add_get("/api/query/{name}", self._query)
        routes.add_get("/api/about", self._about)
        routes.add_get("/api/budgets", self._budgets)
        routes.add_get("/api/learning", self._learning)
        routes.add_get("/api/story", self._story)
        routes.add_get("/api/checklist", self._checklist)
        routes.add_get("/api/workers", self._workers)
        routes.add_post("/api/switches", self._switch)
        routes.add_post("/api/silences", self._silence)
        routes.add_static("/static", STATIC)
        self.app.cleanup_ctx.append(self._connections)

    async def _connections(self, app: web.Application) -> Any:
        self._session = ClientSession(timeout=ClientTimeout(total=3))
        yield
        await self._session.close()
        self._source.close()

    # Who may

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            refusal = self._refusal(request)
            response = refusal if refusal is not None else await handler(request)
        except web.HTTPException as error:
            response = _problem(error.status, error.reason or "error")
        except (ParamError, ActionError) as error:
            response = _problem(400, str(error))
        except SourceError as error:
            response = _problem(502, f"ClickHouse refused the query: {error}")
        except (ClickHouseUnavailable, BrokerUnavailable) as error:
            response = _problem(503, str(error))
        if not response.prepared:
            response.headers.update(HEADERS)
            if request.path.startswith("/api/"):
                response.headers["Cache-Control"] = "no-store"
            else:
                response.headers["Cache-Control"] = "no-cache"
        return response

    def _refusal(self, request: web.Request) -> web.Response | None:
        host = urlsplit(f"//{request.host}").hostname or ""
        if host not in self._options.hosts:
            return _problem(421, f"this dashboard is not {request.host!r}; open it by its address")
        if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
            navigation = request.headers.get("Sec-Fetch-Mode") == "navigate"
            if request.path.startswith("/api/") or not navigation:
                return _problem(403, "another site's page may not ask this dashboard")
        origin = request.headers.get("Origin")
        if origin is not None and origin != f"{request.scheme}://{request.host}":
            return _problem(403, "another site's page may not ask this dashboard")
        if request.path.startswith("/api/"):
            changes = request.method not in ("GET", "HEAD")
            if (changes or not self._options.open_to_read) and not self._has_token(request):
                return _problem(401, "the token is missing or wrong; `mirante up` prints it")
            if changes and request.content_type != "application/json":
                return _problem(415, "send JSON (Content-Type: application/json)")
        return None

    def _has_token(self, request: web.Request) -> bool:
        given = request.headers.get("Authorization", "")
        return hmac.compare_digest(given.encode(), f"Bearer {self._options.token}".encode())

    # Pages

    async def _index(self, request: web.Request) -> web.StreamResponse:
        return web.FileResponse(STATIC / "index.html")

    async def _runbooks(self, request: web.Request) -> web.StreamResponse:
        return web.FileResponse(STATIC / "runbooks.html")

    async def _live(self, request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    # Reading

    async def _query(self, request: web.Request) -> web.Response:
        query = QUERIES.get(request.match_info["name"])
        if query is None:
            raise ParamError(f"there is no query {request.match_info['name']!r}")
        values = read_params(query.params, _single(request))
        try:
            body = await self._source.answer(
                query.statement(values), query.bound(values), query.kept
            )
        except SourceError as error:
            if "UNKNOWN_TABLE" in str(error) or "Unknown table" in str(error):
                return web.json_response({"meta": [], "data": [], "absent": query.table})
            raise
        return web.Response(body=reworded(body, values), content_type="application/json")

    async def _about(self, request: web.Request) -> web.Response:
        settings = self._options.settings
        return web.json_response(
            {
                "version": self._options.version,
                "now": time.time(),
                "labels": bool(settings.labels.get("enabled")),
                "behaviour": bool(settings.behaviour.get("enabled")),
                "topics": bool(settings.topics.get("enabled")),
                "kafka": settings.kafka_bootstrap,
                "token_needed": not self._options.open_to_read,
                **self._options.extra,
            }
        )

    async def _budgets(self, request: web.Request) -> web.Response:
        now = _now(request)
        try:
            rules = budgets_of(self._options.settings)
        except (ValueError, SettingsError) as error:
            return web.json_response({"budgets": [], "problem": str(error)})
        found = await standing(self._source, rules, now)
        return web.json_response({"budgets": found, "today": today(now)})

    async def _learning(self, request: web.Request) -> web.Response:
        query = QUERIES["series"]
        # Windows of a minute: within one, all ask for the same.
        until = int(_now(request)) // 60 * 60 + 60
        values = read_params(query.params, {"until": str(until)})
        rows = await self._source.rows(query.sql, query.bound(values))
        return web.json_response({"series": learning(rows)})

    async def _story(self, request: web.Request) -> web.Response:
        from deploy.trace import ANY_KIND, story

        wanted = request.query.get("id", "")
        if not wanted or len(wanted) > 512:
            raise ParamError("id: of a response, request, trace or session")
        found = await asyncio.to_thread(story, self._source.rows_here, ANY_KIND, wanted, _decoded)
        if found is not None:
            return web.json_response(found.builtins())
        return _problem(
            404, f"nothing has the id {wanted!r}; it may be in flight, or a dead letter"
        )

    async def _checklist(self, request: web.Request) -> web.Response:
        from deploy.cli.checklist import examine

        hours = int(read_params(_HOURS, _single(request))["hours"])

        async def ask() -> Any:
            def rows(sql: str) -> list[dict[str, Any]]:
                return self._source.rows_here(sql, {})

            return await asyncio.to_thread(examine, rows, self._options.settings, hours)

        found = await self._kept.get(("checklist", hours), LONGEST_KEPT, ask)
        items = [{"item": item.name, **verdict._asdict()} for item, verdict in found]
        return web.json_response({"items": items})

    async def _workers(self, request: web.Request) -> web.Response:
        async def ask() -> list[dict[str, Any]]:
            return await asyncio.gather(*(self._worker(url) for url in self._options.workers))

        return web.json_response({"workers": await self._kept.get("workers", WORKERS_KEPT, ask)})

    async def _worker(self, url: str) -> dict[str, Any]:
        assert self._session is not None, "the application has started"
        about: dict[str, Any] = {"url": url, "answers": False}
        try:
            async with self._session.get(f"{url}/health") as answer:
                about |= {"answers": True, **(await answer.json())}
            async with self._session.get(f"{url}/status") as answer:
                about["status"] = await answer.json()
            async with self._session.get(f"{url}/metrics") as answer:
                about["metrics"] = _figures(await answer.text())
        except (ClientError, TimeoutError, json.JSONDecodeError) as error:
            about |= {"ready": False, "problems": [f"does not answer ({type(error).__name__})"]}
        return about

    # Changing

    async def _switch(self, request: web.Request) -> web.Response:
        wanted = read_action(Switch, await request.read())
        return web.json_response(await switch(self._options.settings, wanted))

    async def _silence(self, request: web.Request) -> web.Response:
        wanted = read_action(Quiet, await request.read())
        return web.json_response(await quiet(self._options.settings, wanted))


def _problem(status: int, message: str) -> web.Response:
    return web.json_response({"problem": message}, status=status)


def _single(request: web.Request) -> dict[str, str]:
    """Parameters of the URL; each may be given once."""
    given: dict[str, str] = {}
    for name, value in request.query.items():
        if name in given:
            raise ParamError(f"{name}: given twice")
        given[name] = value
    return given


def _now(request: web.Request) -> float:
    """The moment asked about: now, to a beat, or another one when looking at a history."""
    text = request.query.get("at", "")
    if not text:
        return time.time() // BEAT * BEAT
    try:
        return float(int(text))
    except ValueError:
        raise ParamError("at: epoch seconds, a whole number") from None


def _decoded(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text  # as the service wrote it


SHOWN = ("mirante_lag", "mirante_delay_seconds", "mirante_dead_letters", "mirante_unpriced")


def _figures(exposition: str) -> dict[str, float]:
    """Sums, over labels, of the metrics a page shows; of the delay also its mean."""
    found: dict[str, float] = {}
    for line in exposition.splitlines():
        if line.startswith(SHOWN):
            name, _, value = line.rpartition(" ")
            name = name.partition("{")[0]
            if not name.endswith(("_bucket", "_created")):
                found[name] = found.get(name, 0.0) + float(value)
    return found
