"""``mirante checklist``: is what a team needs in production there, and does it show in the data?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple

import typer

from deploy.cli.learning import SERIES, learned
from deploy.cli.options import DEFAULT_DATA, AsJson, Data, settings_of_stack
from deploy.cli.output import cell, console, say_json
from deploy.cli.waiting import waiting
from streams.settings import Settings

State = Literal["yes", "no", "unknown"]
Row = Mapping[str, Any]

LONGEST_TIMEOUT_MS = 120_000
"""A longer one is no hard timeout: somebody waits for the answer."""
_SUSPECT = r"[\\w.+-]+@[\\w-]+\\.[a-z]{2,}|\\d{3}\\.\\d{3}\\.\\d{3}-\\d{2}"
"""What may be an e-mail address or a CPF, as ClickHouse writes a regular expression: found by other means than the masking itself."""
_HINTS = r"'@[\\w-]+\\.[a-z]{2}', '\\d{3}\\.\\d{3}\\.\\d{3}-\\d{2}'"
"""What every suspect holds. Told in a third of the time that looking for suspects takes."""


class ItemVerdict(NamedTuple):
    """``remedy``: what to do unless the state is yes."""

    state: State
    evidence: str
    remedy: str = ""


class ChecklistItem(NamedTuple):
    """A line of the checklist. ``sql`` gives one row from the tables named; ``{since}`` is the start of the period."""

    name: str
    tables: tuple[str, ...]
    sql: str
    judge: Callable[[Row, Settings], ItemVerdict]


def checklist(
    data: Data = DEFAULT_DATA,
    url: Annotated[str | None, typer.Option(help="Ask this server: http://[USER:PASSWORD@]HOST:PORT.")] = None,
    hours: Annotated[int, typer.Option(min=1, help="How far back to look, from the newest call.")] = 24,
    as_json: AsJson = False,
) -> None:
    """Tick the operational checklist with evidence from ClickHouse and the settings.

    Status 1 if something is missing; what nothing is known of yet is no fault.
    """
    from deploy.cli.query import rows

    with waiting("reading the calls of the period"):
        verdicts = examine(lambda sql: rows(sql, data, url), settings_of_stack(data), hours)
    if as_json:
        say_json([{"item": item.name, **verdict._asdict()} for item, verdict in verdicts])
    else:
        _print(verdicts)
    if any(verdict.state == "no" for _, verdict in verdicts):
        raise typer.Exit(1)


def examine(ask: Callable[[str], Sequence[Row]], settings: Settings, hours: int) -> list[tuple[ChecklistItem, ItemVerdict]]:
    """Every item with what is to be said of it. ``ask`` answers SQL with rows."""
    there = {row["name"] for row in ask("SELECT name FROM system.tables WHERE database = 'mirante'")}
    # Of the rows as they are: superseded ones bear the same times, and their newest is known without reading.
    since = f"(SELECT max(time) FROM mirante.interactions_data) - INTERVAL {hours} HOUR"
    asked: dict[str, Row] = {}  # what several items judge is read once
    found = []
    for item in ITEMS:
        if missing := [table for table in item.tables if table not in there]:
            evidence = f"there is no table {', '.join(missing)}"
            verdict = ItemVerdict("unknown", evidence, "start a worker of a version that has it: it creates the tables")
        else:
            if item.sql not in asked:
                asked[item.sql] = ask(item.sql.replace("{since}", since))[0]
            verdict = item.judge(asked[item.sql], settings)
        found.append((item, verdict))
    return found


def _kill_switch(row: Row, settings: Settings) -> ItemVerdict:
    rules = f"; {len(settings.switches)} automatic rules" if settings.switches else ""
    if not row["kills"]:
        drill = "try it: mirante kill feature:drill --reason drill, then mirante restore feature:drill --reason drill"
        return ItemVerdict("unknown", f"never used{rules}", drill)
    return ItemVerdict("yes", f"killed or throttled {row['kills']} times, restored {row['restores']} times, last at {row['last']}{rules}")


def _budget(row: Row, settings: Settings) -> ItemVerdict:
    told = f"{row['burns']} BudgetBurn and {row['exhausted']} BudgetExhausted alerts"
    tokens = [str(budget.get("name", "?")) for budget in settings.budgets if budget.get("unit", "usd") in ("tokens", "usd")]
    if not tokens:
        remedy = 'add [[budgets]] to mirante.toml, with unit = "tokens" or "usd"'
        return ItemVerdict("no", f"no budget is configured here; {told}", remedy)
    return ItemVerdict("yes", f"budgets {', '.join(tokens)}; {told}")


def _trace(row: Row, settings: Settings) -> ItemVerdict:
    if not row["answered"]:
        return _NOTHING
    evidence = f"{row['named']:,} of {row['answered']:,} answered calls have a response_id, {row['traced']:,} a trace_id"
    if row["named"] < row["answered"]:
        return ItemVerdict("no", evidence, "let the service publish the response_id of every answer")
    return ItemVerdict("yes", f"{evidence}; newest: {row['newest']}")


def _pii(row: Row, settings: Settings) -> ItemVerdict:
    if not row["calls"]:
        return _NOTHING
    from stdnum.br import cpf

    unmasked = [text for text in row["suspects"] if "@" in text or cpf.is_valid(text)]
    evidence = f"found and masked in {row['with_pii']:,} of {row['calls']:,} calls; {len(unmasked):,} e-mail addresses and CPF are not"
    if unmasked:
        return ItemVerdict("no", evidence, "report it: no text may be stored unmasked")
    return ItemVerdict("yes", evidence)


def _timeouts(row: Row, settings: Settings) -> ItemVerdict:
    if not row["calls"]:
        return _NOTHING
    late = f"{row['overrun']:,} answers took longer than theirs"
    evidence = f"longest timeout {row['longest'] / 1000:,.0f} s, {row['timeouts']:,} timeouts, {late}"
    if row["overrun"] or row["longest"] > LONGEST_TIMEOUT_MS:
        return ItemVerdict("no", evidence, "enforce timeout_ms in the service, at most two minutes")
    return ItemVerdict("yes", evidence)


def _output_schema(row: Row, settings: Settings) -> ItemVerdict:
    if not row["calls"]:
        return _NOTHING
    checked = f"{row['checked']:,} answers were checked, {row['invalid']:,} failed"
    evidence = f"{row['with_schema']:,} of {row['calls']:,} calls name a schema, {checked}"
    if not row["with_schema"]:
        return ItemVerdict("unknown", evidence, "publish output_schema with requests whose answer must be JSON")
    if not row["checked"]:
        return ItemVerdict("no", evidence, "none of their answers was checked (json_valid): do they have an output?")
    return ItemVerdict("yes", evidence)


def _rate_limits(row: Row, settings: Settings) -> ItemVerdict:
    told = f"{row['alerts']} RateLimitExceeded alerts"
    if not settings.limits:
        return ItemVerdict("no", f"no limit is configured here; {told}", "add [[limits]] to mirante.toml")
    return ItemVerdict("yes", f"limits {', '.join(str(limit.get('name', '?')) for limit in settings.limits)}; {told}")


def _failures(row: Row, settings: Settings) -> ItemVerdict:
    if not row["calls"]:
        return _NOTHING
    kinds = f"{row['refusals']:,} were refusals, {row['errors']:,} API errors, {row['timeouts']:,} timed out or had no answer"
    return ItemVerdict("yes", f"of {row['calls']:,} calls {kinds}")


def _prompts(row: Row, settings: Settings) -> ItemVerdict:
    if not row["prompted"]:
        return _NOTHING
    current = ", ".join(f"{feature or '(none)'}: {name or 'prompt'}@{sha[:12]}" for feature, name, sha in row["current"])
    evidence = f"{row['versioned']:,} of {row['prompted']:,} calls name a version; now {current or 'none'}"
    if row["versioned"] < row["prompted"]:
        return ItemVerdict("no", evidence, "publish prompt.sha with every request")
    return ItemVerdict("yes", evidence)


def _cache(row: Row, settings: Settings) -> ItemVerdict:
    if not row["candidates"]:
        return ItemVerdict("unknown", "no group of near-identical questions yet", "it shows with traffic")
    saved = f"a cache would have saved ${float(row['usd']):,.2f}"
    return ItemVerdict("yes", f"{row['candidates']:,} groups of near-identical questions; {saved}")


_NOTHING = ItemVerdict("unknown", "no calls in this period", "publish events, or look further back with --hours")


def _learning(row: Row, settings: Settings) -> ItemVerdict:
    names = ("feature", "model", "first", "last", "requests")
    series = [dict(zip(names, values, strict=True)) for values in row["series"]]
    if not series:
        return ItemVerdict("unknown", "no calls")
    if lines := learned(series):
        return ItemVerdict("unknown", "; ".join(lines), "wait: until then nothing is said of what is still learned")
    return ItemVerdict("yes", f"all detectors know {len(series)} series")


def _suspects(column: str) -> str:
    return f"if(multiMatchAny({column}, [{_HINTS}]), extractAll({column}, '{_SUSPECT}'), [])"


CALLS = (
    "SELECT count() AS calls,"
    # response ids
    " countIf(response_event_id != '') AS answered, countIf(response_event_id != '' AND response_id != '') AS named,"
    " countIf(response_event_id != '' AND trace_id != '') AS traced, argMaxIf(response_id, time, response_id != '') AS newest,"
    # personal data
    " countIf(pii NOT IN ('[]', '')) AS with_pii,"
    f" groupUniqArrayArray(1000)(arrayConcat({_suspects('messages')}, {_suspects('output')})) AS suspects,"
    # timeouts
    " max(timeout_ms) AS longest, countIf(outcome IN ('timeout', 'unanswered')) AS timeouts,"
    " countIf(outcome != 'timeout' AND latency_ms > 1.1 * timeout_ms) AS overrun,"
    # output schemas
    " countIf(output_schema != '') AS with_schema, countIf(output_schema != '' AND json_valid IS NOT NULL) AS checked,"
    " countIf(output_schema != '' AND json_valid = false) AS invalid,"
    # how calls end
    " countIf(outcome = 'refusal') AS refusals, countIf(outcome = 'api_error') AS errors,"
    # prompt versions
    " countIf(operation IN ('chat', 'text_completion')) AS prompted,"
    " countIf(operation IN ('chat', 'text_completion') AND prompt_sha != '') AS versioned,"
    " (SELECT arraySlice(arraySort(groupArray((f, n, s))), 1, 5) FROM (SELECT feature AS f, argMax(prompt_name, time) AS n,"
    " argMax(prompt_sha, time) AS s FROM mirante.interactions WHERE time >= {since} AND prompt_sha != '' GROUP BY feature)) AS current"
    " FROM mirante.interactions WHERE time >= {since}"
)
"""What the calls of the period say, for all items that look at them."""

_SERIES = f"SELECT groupArray((feature, model, first, last, requests)) AS series FROM ({SERIES})"

ITEMS = (
    ChecklistItem(
        "kill switch",
        ("controls",),
        "SELECT countIf(action IN ('kill', 'throttle')) AS kills, countIf(action = 'restore') AS restores,"
        " formatDateTime(max(time), '%Y-%m-%d %H:%i UTC') AS last FROM mirante.controls WHERE status = 'recorded'",
        _kill_switch,
    ),
    ChecklistItem(
        "token budget with alerts",
        ("alerts",),
        "SELECT countIf(name = 'BudgetBurn') AS burns, countIf(name = 'BudgetExhausted') AS exhausted FROM mirante.alerts",
        _budget,
    ),
    ChecklistItem("trace from a response_id", ("interactions",), CALLS, _trace),
    ChecklistItem("personal data are masked", ("interactions",), CALLS, _pii),
    ChecklistItem("hard timeouts", ("interactions",), CALLS, _timeouts),
    ChecklistItem("output is checked against its schema", ("interactions",), CALLS, _output_schema),
    ChecklistItem("rate limits", ("alerts",), "SELECT countIf(name = 'RateLimitExceeded') AS alerts FROM mirante.alerts", _rate_limits),
    ChecklistItem("API errors and refusals told apart", ("interactions",), CALLS, _failures),
    ChecklistItem("which prompt version runs now", ("interactions",), CALLS, _prompts),
    ChecklistItem("detectors know what is usual", ("cost_parts",), _SERIES, _learning),
    ChecklistItem(
        "what a semantic cache would save",
        ("cache_candidates",),
        "SELECT count() AS candidates, sum(cost_usd) AS usd FROM mirante.cache_candidates",
        _cache,
    ),
)


def _print(verdicts: list[tuple[ChecklistItem, ItemVerdict]]) -> None:
    from rich.table import Table

    marks = {"yes": "[green]\\[x][/]", "no": "[red]\\[ ][/]", "unknown": "[yellow]\\[?][/]"}
    table = Table("", "item", "evidence", "what to do", box=None, pad_edge=False)
    for item, verdict in verdicts:
        table.add_row(marks[verdict.state], item.name, cell(verdict.evidence), cell(verdict.remedy))
    console().print(table)
