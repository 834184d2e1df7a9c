"""From any id back to its cause: what was asked with which context, what was answered, and what was said of it since.

Reads the storage tables rather than the views over them, because only their sort keys may be tested before versions are merged
(PREWHERE under FINAL), and that spares reading thousands of texts to show one. The table ``ids`` says where the rows of an id are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

Row = dict[str, Any]
Ask = Callable[[str, Mapping[str, Any]], list[Row]]
"""Runs a query with ``%(name)s`` parameters and returns its rows. Raises :class:`NoTable`. Called from several threads at once."""

Kind = Literal["response_id", "request_id", "trace_id", "session_id"]

MAX_CALLS = 100
"""Most calls shown of a trace or session; the earliest."""
MAX_STEPS = 1_000
MAX_RELATED = 1_000

_STEP = (
    "tenant, feature, time, request_id, response_id, trace_id, span_id, parent_span_id, operation, model, outcome, cost_usd, latency_ms, "
    "input_tokens, output_tokens"
)
"""What is shown of a step: each column of each step takes its share of the time, and the step's own story has the others."""
_JSON_COLUMNS = (
    "prompt_variables", "messages", "params", "documents", "tools", "output_schema", "tool_calls", "rails", "pii",
    "injection", "extra",
)

class NoTable(LookupError):
    """The database has no such table: an older Mirante made it, or the agent that fills it is not there yet."""


class Story:
    """What is known of an id.

    ``calls``: the interactions it names, complete, each with its own ``feedback``, ``evaluations``, ``labels``, ``alerts`` and
    ``shadow_pairs``; ``steps``: roots of the tree of everything in the same traces, each step with ``children`` and ``total_cost_usd``;
    ``session_feedback``: what users said of the session as a whole; ``absent``: public tables that do not exist; ``truncated``: there is
    more than is shown.
    """

    def __init__(self) -> None:
        self.calls: list[Row] = []
        self.steps: list[Row] = []
        self.session_feedback: list[Row] = []
        self.absent: list[str] = []
        self.truncated = False

    def builtins(self) -> Row:
        """As JSON."""
        return {
            "calls": self.calls, "steps": self.steps, "session_feedback": self.session_feedback, "not_available": self.absent,
            "truncated": self.truncated,
        }  # fmt: skip


def story(ask: Ask, kind: Kind, value: str, decode: Callable[[str], Any]) -> Story | None:
    """Everything about an id, None if no interaction has it. ``decode``: of columns that hold JSON.

    What a query costs is mostly its analysis, so there are few, and side by side: alerts about a response are asked for at once, and
    feedback and evaluations only where the table of ids knows of some.
    """
    found = Story()
    with ThreadPoolExecutor(2) as pool:
        named = pool.submit(_related, ask, _ALERTS, _responses([value]), decode) if kind == "response_id" else None
        calls = ask(_interactions("* EXCEPT (version)", kind, MAX_CALLS), {"ids": [value]})
        if not calls:
            return None
        found.truncated = len(calls) > MAX_CALLS
        found.calls = calls[:MAX_CALLS]
        given = _given(found.calls)
        complete = kind == "trace_id" and not found.truncated  # nothing else is in the trace
        traces = [] if complete else sorted({call["trace_id"] for call in found.calls} - {""})
        relatives = pool.submit(ask, _interactions(_STEP, "trace_id", MAX_STEPS), {"ids": traces}) if traces else None
        related = [_related(ask, _BY_CALL if named is not None else _BY_CALL | _ALERTS, given, decode)]
        if named is not None:
            related.append(named.result())
        said = {row["source"] for row in related[0][0].pop("ids")}
        related.append(_related(ask, {name: sql for name, sql in _SAID.items() if name in said}, given, decode))
        steps = relatives.result() if relatives is not None else []
    found.truncated = found.truncated or len(steps) > MAX_STEPS
    columns = _STEP.split(", ")
    own = [{column: call[column] for column in columns} for call in found.calls]
    found.steps = tree_of({_key(step): step for step in (*own, *steps[:MAX_STEPS])}.values())
    for name in _SAID:
        _attach(found, name, ())
    for tables, absent in related:
        found.absent += absent
        for name, rows in tables.items():
            _attach(found, name, rows)
    for call in found.calls:
        for column in _JSON_COLUMNS:
            call[column] = decode(call[column]) if call.get(column) else None
    return found


def _key(step: Row) -> tuple[str, str, str, str]:
    """The sort key of an interaction."""
    return step["tenant"], step["feature"], step["time"], step["request_id"]


_HASHES = "(SELECT cityHash64(arrayJoin(%(ids)s)))"
"""A subquery: of other forms with a list, some do not use the primary key."""


def _where(source: str, columns: str) -> str:
    return f"({columns}) IN (SELECT DISTINCT {columns} FROM mirante.ids WHERE source = '{source}' AND hash IN {_HASHES})"


def _interactions(columns: str, kind: Kind, most: int) -> str:
    where = _where("interactions", "tenant, feature, time")
    return (
        f"SELECT {columns} FROM mirante.interactions_data FINAL PREWHERE {where} WHERE {kind} IN %(ids)s "
        f"ORDER BY time, request_id LIMIT {most + 1}"
    )


_NEAR = (
    "tenant IN %(tenants)s AND feature IN %(features)s AND time >= parseDateTime64BestEffort(%(since)s, 3, 'UTC') - INTERVAL 1 DAY "
    "AND time <= parseDateTime64BestEffort(%(until)s, 3, 'UTC') + INTERVAL 1 DAY"
)
"""Rows with these calls' features and about their time. A label's time is when the answer ended, a pair's when the shadow was asked."""
_ALERTS = {
    "alerts": "SELECT alert_id, name, severity, status, labels, annotations, starts_at, ends_at, updated_at, value, expected, "
    "threshold, JSONExtract(evidence, 'response_ids', 'Array(String)') AS response_ids FROM mirante.alerts_data FINAL "
    "PREWHERE (starts_at, alert_id) IN "
    "(SELECT starts_at, alert_id FROM mirante.alerts_data WHERE multiSearchAny(evidence, %(quoted)s)) "
    "WHERE hasAny(response_ids, %(responses)s) ORDER BY starts_at, alert_id",
}
"""Table -> what it holds of given responses."""
_BY_CALL = {
    "ids": f"SELECT DISTINCT source FROM mirante.ids WHERE source IN ('feedback', 'evaluations') AND hash IN {_HASHES}",
    "labels": f"SELECT * FROM mirante.labels WHERE {_NEAR} AND response_id IN %(responses)s ORDER BY time, label_id",
    "shadow_pairs": f"SELECT * FROM mirante.shadow_pairs WHERE {_NEAR} "
    "AND (live_request_id IN %(requests)s OR request_id IN %(requests)s) ORDER BY time, request_id",
}
"""Table -> what it holds of given calls; of ``ids``, which of the tables of `_SAID` hold something."""
_SAID = {
    "feedback": f"SELECT * FROM mirante.feedback_data FINAL PREWHERE {_where('feedback', 'tenant, time')} "
    "WHERE (response_id != '' AND response_id IN %(responses)s) OR (response_id = '' AND request_id IN %(requests)s) "
    "OR (response_id = '' AND request_id = '' AND session_id IN %(sessions)s) ORDER BY time, event_id",
    "evaluations": f"SELECT * FROM mirante.evaluations_data FINAL PREWHERE {_where('evaluations', 'tenant, time')} "
    "WHERE response_id IN %(responses)s ORDER BY time, event_id",
}
"""Table -> what was said of given calls."""


def _responses(responses: Sequence[str]) -> dict[str, Any]:
    return {"responses": list(responses) or [""], "quoted": [f'"{response}"' for response in responses] or ['""']}


def _given(calls: Sequence[Row]) -> dict[str, Any]:
    """What the queries need to know of the calls."""
    responses = sorted({call["response_id"] for call in calls} - {""})
    requests = sorted({call["request_id"] for call in calls})
    sessions = sorted({call["session_id"] for call in calls} - {""})
    return {
        **_responses(responses),
        "requests": requests,
        "sessions": sessions or [""],
        "ids": sorted({*responses, *requests, *sessions}),
        "tenants": sorted({call["tenant"] for call in calls}),
        "features": sorted({call["feature"] for call in calls}),
        "since": min(call["time"] for call in calls),
        "until": max(call["response_time"] or call["time"] for call in calls),
    }


def _related(
    ask: Ask, queries: Mapping[str, str], given: Mapping[str, Any], decode: Callable[[str], Any]
) -> tuple[dict[str, list[Row]], list[str]]:
    """What these tables hold, and which of them do not exist."""
    absent: list[str] = []
    if not queries:
        return {}, absent
    try:
        rows = ask(_union(queries), given)
    except NoTable:
        exist = {row["name"] for row in ask("SELECT name FROM system.tables WHERE database = 'mirante'", {})}
        # A query names the public view, or the storage table of the same name.
        absent = [name for name in queries if name not in exist]
        left = {name: sql for name, sql in queries.items() if name in exist}
        rows = ask(_union(left), given) if left else []
    found: dict[str, list[Row]] = {name: [] for name in queries if name not in absent}
    for row in rows:
        found[row["section"]].append(decode(row["row"]))
    return found, absent


def _union(queries: Mapping[str, str]) -> str:
    """One statement for all; each of its rows is JSON text."""
    parts = (
        f"SELECT '{name}' AS section, formatRowNoNewline('JSONEachRow', *) AS row FROM ({sql} LIMIT {MAX_RELATED})"
        for name, sql in queries.items()
    )
    return " UNION ALL ".join(parts)


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
