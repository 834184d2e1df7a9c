"""From any id back to its cause: what was asked with which context, what was answered, and what was said of it since.

Reads the storage tables rather than the views over them, because only their sort keys may be tested before versions are merged
(PREWHERE under FINAL), and that spares reading thousands of texts to show one. The table ``ids`` says where the rows of an id are, and
so which of the tables need not be asked at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, NamedTuple

Row = dict[str, Any]
Ask = Callable[[str, Mapping[str, Any]], list[Row]]
"""Runs a query with ``%(name)s`` parameters and returns its rows. Called from several threads at once."""

Kind = Literal["response_id", "request_id", "trace_id", "session_id"]

ANY_KIND: tuple[Kind, ...] = ("response_id", "request_id", "trace_id", "session_id")
"""What an id may be of, in the order in which it is taken to be."""

MAX_CALLS = 100
"""Most calls shown of a trace or session; the earliest."""
MAX_STEPS = 1_000
MAX_RELATED = 1_000

_STEP = (
    "tenant, feature, time, request_id, response_id, trace_id, span_id, parent_span_id, operation, model, outcome, cost_usd, latency_ms, "
    "input_tokens, output_tokens"
)
"""What is shown of a step: each column of each step takes its share of the time, and the step's own story has the others."""
_OTHER_STEP = (
    "tenant, feature, time, concat(trace_id, '-', span_id) AS request_id, '' AS response_id, trace_id, span_id, "
    "parent_id AS parent_span_id, kind AS operation, name AS model, if(status = 'ok', 'ok', 'api_error') AS outcome, "
    "NULL AS cost_usd, duration_ms AS latency_ms, NULL AS input_tokens, NULL AS output_tokens, kind, error_message, input, output"
)
"""The same of a step that is no call, which has a ``kind``."""
_JSON_COLUMNS = (
    "prompt_variables", "messages", "params", "documents", "tools", "output_schema", "tool_calls", "rails", "pii",
    "injection", "extra",
)

class Story:
    """What is known of an id.

    ``kind``: what the id is of.
    ``calls``: the interactions it names, complete, each with its own ``feedback``, ``evaluations``, ``labels``, ``alerts`` and
    ``shadow_pairs``; ``steps``: roots of the tree of everything in the same traces, each step with ``children`` and ``total_cost_usd``,
    those that are no calls with ``kind``, ``input`` and ``output``;
    ``session_feedback``: what users said of the session as a whole; ``absent``: tables that cannot be asked, because an older Mirante
    made the database; ``truncated``: there is more than is shown.
    """

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.calls: list[Row] = []
        self.steps: list[Row] = []
        self.session_feedback: list[Row] = []
        self.absent: list[str] = []
        self.truncated = False

    def builtins(self) -> Row:
        """As JSON."""
        return {
            "kind": self.kind,
            "calls": self.calls, "steps": self.steps, "session_feedback": self.session_feedback, "not_available": self.absent,
            "truncated": self.truncated,
        }  # fmt: skip


def story(ask: Ask, kinds: Sequence[Kind], value: str, decode: Callable[[str], Any]) -> Story | None:
    """Everything about an id of the first of ``kinds`` that has it, None if no interaction does. ``decode``: of columns that hold JSON.

    What a query costs is mostly its analysis, so there are few, and side by side: tables are asked only where ``ids`` knows of rows.
    """
    with ThreadPoolExecutor(2) as pool:
        calls = ask(_interactions("* EXCEPT (version)", kinds, 1, MAX_CALLS), _ids([value]))
        if not calls:
            return None
        # They are sorted by kind: the first row tells which one it is.
        kind = next(kind for kind in kinds if calls[0][kind] == value)
        calls = [call for call in calls if call[kind] == value]
        found = Story(kind)
        found.truncated = len(calls) > MAX_CALLS
        found.calls = calls[:MAX_CALLS]
        complete = kind == "trace_id" and not found.truncated  # nothing else is in the trace
        traces = sorted({call["trace_id"] for call in found.calls} - {""})
        others = pool.submit(ask, _OTHER_STEPS, {"traces": traces}) if traces else None
        traces = [] if complete else traces
        relatives = pool.submit(ask, _interactions(_STEP, ["trace_id"], len(traces), MAX_STEPS), _ids(traces)) if traces else None
        given = _given(found.calls)
        known = ask(_sources(len(given["ids"])), given)
        found.absent = [name for name in _SAID if f"'{name}'" not in known[0]["sources"]]
        rows: dict[str, list[Row]] = {name: [] for name in _SAID}
        said = _said([row["source"] for row in known if row["source"] in _SAID], len(given["ids"]))
        for row in ask(said, given) if said else []:
            rows[row["section"]].append(decode(row["row"]))
        steps = relatives.result() if relatives is not None else []
        around = others.result() if others is not None else []
    found.truncated = found.truncated or max(len(steps), len(around)) > MAX_STEPS
    columns = _STEP.split(", ")
    own = [{column: call[column] for column in columns} for call in found.calls]
    found.steps = tree_of({_key(step): step for step in (*around[:MAX_STEPS], *own, *steps[:MAX_STEPS])}.values())
    for name in _SAID:
        _attach(found, name, rows[name])
    for call in found.calls:
        for column in _JSON_COLUMNS:
            call[column] = decode(call[column]) if call.get(column) else None
    return found


def _key(step: Row) -> tuple[str, str, str, str]:
    """The sort key of an interaction."""
    return step["tenant"], step["feature"], step["time"], step["request_id"]


def _hashes(count: int) -> str:
    """Of the ids of `_ids`, each a constant: the primary key is used, and to look one up takes half of what a subquery would."""
    return ", ".join(f"cityHash64(%(id{n})s)" for n in range(count))


def _ids(ids: Sequence[str]) -> dict[str, Any]:
    return {"ids": list(ids), **{f"id{n}": value for n, value in enumerate(ids)}}


def _where(source: str, columns: str, count: int) -> str:
    """That a row of a table lies where `ids` says. ``columns``: of the table's sort key; ``ids`` calls what is its time ``time``."""
    places = columns.replace("starts_at", "time")
    return f"({columns}) IN (SELECT {places} FROM mirante.ids WHERE source = '{source}' AND hash IN ({_hashes(count)}))"


def _interactions(columns: str, kinds: Sequence[Kind], count: int, most: int) -> str:
    tests = [f"{kind} IN %(ids)s" for kind in kinds]
    ranks = "".join(f"{test} DESC, " for test in tests) if len(tests) > 1 else ""
    return (
        f"SELECT {columns} FROM mirante.interactions_data FINAL PREWHERE {_where('interactions', 'tenant, feature, time', count)} "
        f"WHERE {' OR '.join(tests)} ORDER BY {ranks}time, request_id LIMIT {most + 1}"
    )


_OTHER_STEPS = (
    f"SELECT {_OTHER_STEP} FROM mirante.steps_data FINAL PREWHERE trace_id IN %(traces)s ORDER BY time, span_id LIMIT {MAX_STEPS + 1}"
)


def _sources(count: int) -> str:
    """Which tables hold something of these ids, and which there are at all."""
    return f"SELECT DISTINCT source, toTypeName(source) AS sources FROM mirante.ids WHERE hash IN ({_hashes(count)})"


class _Said(NamedTuple):
    """Of a table: what is shown, which columns of its sort key ``ids`` knows, and which of the rows there belong to the calls."""

    shown: str
    place: str
    belongs: str
    order: str


_SAID = {
    "feedback": _Said(
        "*", "tenant, time", "(response_id != '' AND response_id IN %(responses)s) "
        "OR (response_id = '' AND request_id IN %(requests)s) "
        "OR (response_id = '' AND request_id = '' AND session_id IN %(sessions)s)",
        # What was said of the session as a whole comes last: there may be more of it than is shown.
        "response_id = '' AND request_id = '', time, event_id",
    ),
    "evaluations": _Said("*", "tenant, time", "response_id IN %(responses)s", "time, event_id"),
    "labels": _Said("*", "tenant, feature, time", "response_id IN %(responses)s", "time, label_id"),
    "shadow_pairs": _Said(
        "* EXCEPT (version)", "tenant, feature, time", "live_request_id IN %(requests)s OR request_id IN %(requests)s",
        "time, request_id",
    ),
    "alerts": _Said(
        "alert_id, name, severity, status, labels, annotations, starts_at, ends_at, updated_at, value, expected, threshold, "
        "JSONExtract(evidence, 'response_ids', 'Array(String)') AS response_ids",
        "starts_at", "hasAny(response_ids, %(responses)s)", "starts_at, alert_id",
    ),
}  # fmt: skip
"""Table -> what was said of calls."""


def _said(names: Iterable[str], count: int) -> str:
    """One statement for all these tables; each of its rows is JSON text."""
    return " UNION ALL ".join(
        f"SELECT '{name}' AS section, formatRowNoNewline('JSONEachRow', *) AS row FROM (SELECT {said.shown} FROM mirante.{name}_data "
        f"FINAL PREWHERE {_where(name, said.place, count)} WHERE {said.belongs} ORDER BY {said.order} LIMIT {MAX_RELATED})"
        for name, said in _SAID.items()
        if name in names
    )


def _given(calls: Sequence[Row]) -> dict[str, Any]:
    """What the queries need to know of the calls."""
    responses = sorted({call["response_id"] for call in calls} - {""})
    requests = sorted({call["request_id"] for call in calls})
    sessions = sorted({call["session_id"] for call in calls} - {""})
    return {
        **_ids(sorted({*responses, *requests, *sessions})),
        "responses": responses or [""],
        "requests": requests,
        "sessions": sessions or [""],
    }


def _attach(found: Story, name: str, rows: Iterable[Row]) -> None:
    """Give each call what belongs to it."""
    of_response: dict[str, list[Row]] = {}
    of_request: dict[str, list[Row]] = {}
    for call in found.calls:
        call[name] = []
        of_response.setdefault(call["response_id"] or "\0", []).append(call)
        of_request.setdefault(call["request_id"], []).append(call)
    for row in rows:
        named = row.get("response_ids") or [row.get("response_id", "")]
        owners = [call for response in named for call in of_response.get(response, ())]
        if not owners:
            owners = [call for column in ("live_request_id", "request_id") for call in of_request.get(row.get(column, ""), ())]
        for owner in owners:
            owner[name].append(row)
        if name == "feedback" and not owners:
            found.session_feedback.append(row)


def tree_of(steps: Iterable[Row]) -> list[Row]:
    """Roots of the steps, by ``span_id`` and ``parent_span_id`` within a trace. Each gets ``children`` and ``total_cost_usd``, the sum of
    its own and its descendants' known costs (None if none is known). A circle of parents is cut at its earliest step."""
    ordered = sorted((dict(step) for step in steps), key=lambda step: (step["time"], step["request_id"]))
    spans: dict[tuple[str, str], Row] = {}
    for step in ordered:
        step["children"] = []
        if step["span_id"]:
            spans.setdefault((step["trace_id"], step["span_id"]), step)
    roots = []
    for step in ordered:
        parent = spans.get((step["trace_id"], step["parent_span_id"])) if step["parent_span_id"] else None
        if parent is None or _descends(parent, step):
            roots.append(step)
        else:
            parent["children"].append(step)
            step["_parent"] = parent
    for step in ordered:
        step.pop("_parent", None)
    for root in roots:
        _total(root)
    return roots


def _descends(step: Row, from_step: Row) -> bool:
    """Whether ``step`` is ``from_step`` or already hangs below it."""
    at: Row | None = step
    while at is not None:
        if at is from_step:
            return True
        at = at.get("_parent")
    return False


def _total(root: Row) -> None:
    """Sums from the leaves up, without recursion: agents nest deeply."""
    order, waiting = [], [root]
    while waiting:
        step = waiting.pop()
        order.append(step)
        waiting.extend(step["children"])
    for step in reversed(order):
        costs = [step["cost_usd"], *(child["total_cost_usd"] for child in step["children"])]
        known = [cost for cost in costs if cost is not None]
        step["total_cost_usd"] = round(sum(known), 12) if known else None
