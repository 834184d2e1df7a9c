"""``mirante trace``: from any response back to its cause."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deploy.cli.options import DEFAULT_DATA, AsJson, Data
from deploy.cli.output import say_json

if TYPE_CHECKING:
    from deploy.trace import Ask

_FORMAT = {
    "output_format_json_quote_64bit_integers": 0, "output_format_json_quote_decimals": 0, "date_time_output_format": "iso",
}  # fmt: skip


def trace(
    response_id: Annotated[str | None, typer.Argument(help="Of the answer to explain.")] = None,
    request_id: Annotated[str | None, typer.Option(help="By the request instead, also one that was never answered.")] = None,
    trace_id: Annotated[str | None, typer.Option(help="All steps of a trace.")] = None,
    session_id: Annotated[str | None, typer.Option(help="All calls of a session.")] = None,
    data: Data = DEFAULT_DATA,
    url: Annotated[str | None, typer.Option(help="Ask this server: http://[USER:PASSWORD@]HOST:PORT.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show the whole story of a response: prompt, context with scores, parameters, steps, answer, outcome, guards, and what was said of it.

    Works while a stack runs on --data and after it has ended; --url asks any server.

    Example: mirante trace resp-42 --json
    """
    from deploy.trace import ANY_KIND, story

    given = [(kind, value) for kind, value in zip(ANY_KIND, (response_id, request_id, trace_id, session_id), strict=True) if value]
    if len(given) != 1:
        raise typer.BadParameter("name one thing: RESPONSE_ID, --request-id, --trace-id or --session-id")
    [(kind, value)] = given
    with asking(data, url) as ask:
        found = story(ask, [kind], value, _decoded)
    if found is None:
        raise OSError(f"no interaction has {kind} {value!r}; it may be in flight, or a dead letter (mirante deadletter list)")
    if as_json:
        say_json(found.builtins())
        return
    from deploy.cli.story import show

    show(found)


def _decoded(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text  # a column may hold what a service wrote, as it wrote it


@contextmanager
def asking(data: Path, url: str | None) -> Iterator[Ask]:
    """Queries to the server at ``url``, to the stack that runs on ``data``, to the server of the settings, or to the data itself."""
    from deploy.cli.source import server_or_folder

    found = server_or_folder(data, url)
    with _of_server(found) if isinstance(found, str) else _of_engine(found) as ask:
        yield ask


@contextmanager
def _of_server(url: str) -> Iterator[Ask]:
    from clickhouse_connect.driver.exceptions import DatabaseError
    from urllib3.exceptions import HTTPError

    from streams.clickhouse import connect
    from streams.reasons import reason

    client = connect(url)

    def ask(sql: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
        try:
            answer = client.raw_query(sql, parameters=dict(parameters), fmt="JSONEachRow", settings=dict(_FORMAT))
        except (DatabaseError, HTTPError) as error:
            raise OSError(f"ClickHouse did not answer: {reason(error)}; `mirante doctor` checks its tables") from error
        return [json.loads(line) for line in answer.splitlines()]

    try:
        yield ask
    finally:
        client.close()


@contextmanager
def _of_engine(path: Path) -> Iterator[Ask]:
    from clickhouse_connect.driver.binding import bind_query

    from deploy.embedded.clickhouse import ClickHouseError, open_engine
    from streams.reasons import reason

    with open_engine(path) as engine:

        def ask(sql: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
            handle = engine.handle()
            try:
                handle.set({name: str(value) for name, value in _FORMAT.items()})
                text, bound = bind_query(sql, dict(parameters))
                own = {name.removeprefix("param_"): value for name, value in bound.items()}
                return [json.loads(line) for line in handle.run(str(text), "JSONEachRow", own).body.splitlines()]
            except ClickHouseError as error:
                raise OSError(reason(error)) from error
            finally:
                handle.close()

        yield ask
