"""What must hold after any faults, each with the figures that show it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from clickhouse_connect.driver.client import Client

from tests.chaos.conservation import accounts, reasons
from tests.chaos.oracle import WINDOWS, Expected, Position, Series, Totals
from tests.chaos.traffic import FAR


class Finding(NamedTuple):
    """One invariant and how it came out."""

    name: str
    holds: bool
    figures: str


def examine(client: Client, expected: Expected, budgets: dict[str, bool], prefix: str, begun: float) -> list[Finding]:
    """All invariants on the public tables.

    ``budgets``: name -> whether it is used up. ``prefix``: of the installation's topics. ``begun``: when the traffic did, epoch seconds.
    """
    return [
        *_interactions(client, expected),
        *_windows(client, expected),
        *_alerts(client, budgets),
        *_labels(client, expected, begun),
        *_others(client, expected, prefix),
        *_conservation(client, expected, prefix),
    ]


def _pico(cost: Decimal | None) -> int | None:
    return None if cost is None else int(cost.scaleb(12))


def _interactions(client: Client, expected: Expected) -> Iterator[Finding]:
    columns = (
        "request_id, request_event_id, response_event_id, response_id, outcome, input_tokens, output_tokens, cache_read_tokens, cost_usd"
    )
    rows = client.query(f"SELECT {columns} FROM mirante.interactions").result_rows
    found, calls = {row[0]: row for row in rows}, expected.interactions
    lost, invented = calls.keys() - found.keys(), found.keys() - calls.keys()
    yield Finding("every interaction is there", not lost, f"{len(calls):,} expected, {len(lost)} lost {sorted(lost)[:3]}")
    once = len(rows) == len(found) and not invented
    yield Finding("none is doubled or invented", once, f"{len(rows):,} rows, {len(rows) - len(found)} doubled, {len(invented)} invented")
    held = {i: (call.request_event_id, call.response_event_id, call.response_id) for i, call in calls.items()}
    parted = [i for i, ids in held.items() if i in found and found[i][1:4] != ids]
    unanswered = [i for i in parted if not found[i][2]]
    figures = f"{len(calls) - len(parted):,} of {len(rows):,}, {len(unanswered)} without their answer {sorted(parted)[:3]}"
    yield Finding("each holds its request and its answer", not parted, figures)
    wrong = []
    for ident, call in calls.items():
        want = (call.outcome, call.input_tokens, call.output_tokens, call.cached_tokens, call.cost)
        if ident in found and (*found[ident][4:8], _pico(found[ident][8])) != want:
            wrong.append((ident, want, (*found[ident][4:8], _pico(found[ident][8]))))
    yield Finding("outcome, tokens and price of each equal the oracle", not wrong, f"{len(calls):,} calls, {len(wrong)} wrong {wrong[:2]}")


def _windows(client: Client, expected: Expected) -> Iterator[Finding]:
    for size in WINDOWS:
        rows = client.query(
            "SELECT toUnixTimestamp(window_start), tenant, feature, provider, model, requests, ok, unanswered, input_tokens, "
            f"output_tokens, cache_read_tokens, cost_usd FROM mirante.cost_windows WHERE window_seconds = {size}"
        ).result_rows
        found: dict[tuple[int, Series], Totals] = {}
        for row in rows:
            key = row[0], Series(*row[1:5])
            totals = Totals(*row[5:11], _pico(row[11]) or 0)
            found[key] = Totals(*map(sum, zip(found[key], totals, strict=True))) if key in found else totals
        wanted = expected.windows(size)
        for name, columns in (("to the token", slice(0, 6)), ("to the picodollar", slice(6, 7))):
            wrong = [key for key in wanted.keys() | found.keys() if wanted.get(key, ())[columns] != found.get(key, ())[columns]]
            example = next(((key, wanted.get(key), found.get(key)) for key in sorted(wrong)), "")
            figures = f"{len(wanted):,} windows, {len(wrong)} wrong {example}"
            yield Finding(f"windows of {size} s equal the oracle {name}", not wrong, figures)
    interactions = client.query("SELECT tenant, feature, sum(cost_usd) FROM mirante.interactions GROUP BY 1, 2").result_rows
    money = {(tenant, feature): cost for tenant, feature, cost in interactions}
    for size in WINDOWS:
        rows = client.query(
            f"SELECT tenant, feature, sum(cost_usd) FROM mirante.cost_windows WHERE window_seconds = {size} GROUP BY 1, 2"
        ).result_rows
        wrong_money = [(key, cost) for *key, cost in rows if money.get((key[0], key[1])) != cost]
        total = sum((row[2] for row in rows), Decimal(0))
        yield Finding(f"windows of {size} s equal the interactions to the cent", not wrong_money and len(rows) == len(money), f"${total}")


def _alerts(client: Client, budgets: dict[str, bool]) -> Iterator[Finding]:
    rows = client.query("SELECT labels['budget'], alert_id, status FROM mirante.alerts WHERE name = 'BudgetExhausted'").result_rows
    used_up = {name for name, used in budgets.items() if used}
    found = [row[0] for row in rows]
    apart = sorted(set(found) ^ used_up)
    yield Finding("budgets are counted to the picodollar", not apart, f"{len(used_up)} of {len(budgets)} exhausted, wrong: {apart}")
    yield Finding("one alert for each of them", len(found) == len(set(found)), f"{len(found)} alerts")


def labelled(expected: Expected, begun: float, now: float) -> set[str]:
    """Answers that must have a label: a clock that is ahead says when a session has ended; one that is behind, that it had ended too long
    ago to be labelled."""
    return {call.response_id for call in expected.interactions.values() if call.response_id and begun <= call.time < now}


def _labels(client: Client, expected: Expected, begun: float) -> Iterator[Finding]:
    rows = client.query("SELECT response_id, label_id, final, tenant FROM mirante.labels").result_rows
    found, now = {row[0] for row in rows}, time.time()
    answered = [call for call in expected.interactions.values() if call.response_id]
    wanted = labelled(expected, begun, now)
    lost, invented = wanted - found, found - {call.response_id for call in answered}
    tenants = Counter(call.tenant for call in answered if call.response_id in lost)
    some = [
        f"{call.response_id} asked {now - call.time:.0f} s ago" for call in answered if call.response_id in lost
    ][:10]
    figures = f"{len(wanted):,} answers, {len(lost)} without {dict(tenants)} {some}, {len(invented)} invented"
    yield Finding("every answer has its label", not lost and not invented, figures)
    once = len(rows) == len(found) == len({row[1] for row in rows})
    near = [row[2] for row in rows if row[3] != FAR]
    yield Finding("one row per label", once, f"{len(rows):,} rows, {len(near) - sum(near):,} not final")
    columns = "label, score, explicit, final, signals"
    sql = f"SELECT count() FROM (SELECT 1 FROM mirante.labels_data GROUP BY label_id, version HAVING uniqExact({columns}) > 1)"
    two = int(str(client.command(sql)))
    yield Finding("a version of a label says one thing", not two, f"{two} say two")


def _others(client: Client, expected: Expected, prefix: str) -> Iterator[Finding]:
    for table, wanted in (("feedback", expected.feedback), ("evaluations", expected.evaluations)):
        found = [row[0] for row in client.query(f"SELECT event_id FROM mirante.{table}").result_rows]
        figures = f"{len(wanted):,} expected, {len(found):,} rows, {len(wanted - set(found))} lost"
        yield Finding(f"{table} exactly once", sorted(found) == sorted(wanted), figures)
    rows = client.query("SELECT topic, partition, offset, reason FROM mirante.deadletter").result_rows
    why: dict[Position, str] = {(row[0].removeprefix(prefix), row[1], row[2]): row[3] for row in rows}
    lost = expected.dead - why.keys()
    yield Finding("all poison is in dead letters", not lost, f"{len(expected.dead):,} expected, {len(lost)} lost {sorted(lost)[:2]}")
    wrong = [event_id for event_id, places in expected.orphans.items() if len(places & why.keys()) != 1]
    yield Finding("every orphan is one dead letter", not wrong, f"{len(expected.orphans):,} expected, {len(wrong)} are not {wrong[:2]}")
    known = expected.dead.union(*expected.orphans.values())
    others = Counter(reason[:60] for place, reason in why.items() if place not in known)
    yield Finding("nothing else is", not others, f"{others.total()} others {others.most_common(3)}")
    yield Finding("no dead letter is doubled", len(rows) == len(why), f"{len(rows):,} rows, {len(why):,} positions")


def _conservation(client: Client, expected: Expected, prefix: str) -> Iterator[Finding]:
    for account in accounts(client, expected.records, prefix):
        repeats = expected.repeats[account.topic]
        yield Finding(f"{account.topic}: records = rows + repeats + dead letters", not account.missing, str(account))
        figures = f"{repeats:,} expected, {account.repeats:,} counted"
        yield Finding(f"{account.topic}: repeats equal the oracle", account.repeats == repeats, figures)
    figures = "; ".join(f"{count:,} {topic}: {why}" for topic, why, count in reasons(client)[:4])
    yield Finding("every dead letter has a reason", all(why for _, why, _ in reasons(client)), figures)

