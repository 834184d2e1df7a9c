"""What must hold after any faults, each with the figures that show it."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from clickhouse_connect.driver.client import Client

from agents.cost.state import WINDOWS
from tests.chaos.traffic import ChaosTraffic


class Finding(NamedTuple):
    """One invariant and how it came out."""

    name: str
    holds: bool
    figures: str


def examine(client: Client, traffic: ChaosTraffic, topics: str) -> list[Finding]:
    """All invariants on the public tables. ``topics``: prefix of the installation's topics."""
    return [
        *_interactions(client, traffic),
        *_windows(client, traffic),
        *_alerts(client, traffic),
        *_labels(client, traffic),
        *_others(client, traffic, topics),
    ]


def _interactions(client: Client, traffic: ChaosTraffic) -> Iterator[Finding]:
    load = traffic.load
    sql = "SELECT request_id, request_event_id, response_event_id, outcome FROM mirante.interactions WHERE feature LIKE 'bench-%'"
    rows = client.query(sql).result_rows
    expected = {f"{load.run}-{pair:08x}" for pair in range(load.pairs)}
    found = [row[0].removeprefix("req-") for row in rows]
    lost, invented = expected - set(found), set(found) - expected
    yield Finding("every interaction is there", not lost, f"{len(expected):,} expected, {len(lost)} lost {sorted(lost)[:3]}")
    once = len(found) == len(set(found)) and not invented
    yield Finding("none is doubled or invented", once, f"{len(rows):,} rows, {len(invented)} invented")
    whole = sum(q.removeprefix("q-") == r.removeprefix("req-") == a.removeprefix("a-") and o == "ok" for r, q, a, o in rows)
    yield Finding("each holds its request and its answer", whole == len(rows), f"{whole:,} of {len(rows):,}")


def _windows(client: Client, traffic: ChaosTraffic) -> Iterator[Finding]:
    load = traffic.load
    for size in WINDOWS:
        rows = client.query(
            "SELECT toUnixTimestamp(window_start), tenant, feature, provider, model, requests, input_tokens, output_tokens, ok "
            f"FROM mirante.cost_windows WHERE window_seconds = {size}"
        ).result_rows
        found = {(row[0], *row[1:5]): (row[5], row[6], row[7]) for row in rows}
        expected = {
            (start, *series): (totals.requests, totals.input_tokens, totals.output_tokens)
            for (start, series), totals in load.by_window(size).items()
        }
        wrong = {key for key in expected.keys() | found.keys() if expected.get(key) != found.get(key)}
        example = next(((key, expected.get(key), found.get(key)) for key in sorted(wrong)), "")
        figures = f"{len(expected):,} windows, {len(wrong)} wrong {example}"
        yield Finding(f"windows of {size} s equal the oracle to the token", not wrong, figures)
    interactions = client.query("SELECT tenant, feature, sum(cost_usd) FROM mirante.interactions GROUP BY 1, 2").result_rows
    money = {(tenant, feature): cost for tenant, feature, cost in interactions}
    for size in WINDOWS:
        rows = client.query(
            f"SELECT tenant, feature, sum(cost_usd) FROM mirante.cost_windows WHERE window_seconds = {size} GROUP BY 1, 2"
        ).result_rows
        wrong_money = [(key, cost) for *key, cost in rows if money.get((key[0], key[1])) != cost]
        total = sum((row[2] for row in rows), Decimal(0))
        yield Finding(f"windows of {size} s equal the interactions to the cent", not wrong_money and len(rows) == len(money), f"${total}")


def _alerts(client: Client, traffic: ChaosTraffic) -> Iterator[Finding]:
    rows = client.query("SELECT labels['budget'], alert_id, status FROM mirante.alerts WHERE name = 'BudgetExhausted'").result_rows
    expected = {f"{tenant}-exhausted" for tenant in traffic.spent()}
    found = [row[0] for row in rows]
    yield Finding("budgets are counted to the picodollar", set(found) == expected, f"{len(expected)} exhausted, {sorted(set(found))[:6]}")
    yield Finding("one alert for each of them", len(found) == len(set(found)), f"{len(found)} alerts")


def _labels(client: Client, traffic: ChaosTraffic) -> Iterator[Finding]:
    load = traffic.load
    rows = client.query("SELECT response_id, label_id, final FROM mirante.labels").result_rows
    expected = {f"resp-{load.run}-{pair:08x}" for pair in range(load.pairs)}
    found = {row[0] for row in rows}
    figures = f"{len(expected):,} answers, {len(expected - found)} without, {len(found - expected)} invented"
    yield Finding("every answer has its label", found == expected, figures)
    once = len(rows) == len(found) == len({row[1] for row in rows})
    yield Finding("one row per label, and it is final", once and all(row[2] for row in rows), f"{len(rows):,} rows")
    columns = "label, score, explicit, final, signals"
    sql = f"SELECT count() FROM (SELECT 1 FROM mirante.labels_data GROUP BY label_id, version HAVING uniqExact({columns}) > 1)"
    two = int(str(client.command(sql)))
    yield Finding("a version of a label says one thing", not two, f"{two} say two")


def _others(client: Client, traffic: ChaosTraffic, topics: str) -> Iterator[Finding]:
    rows = client.query("SELECT event_id FROM mirante.feedback").result_rows
    found = [row[0] for row in rows]
    yield Finding(
        "feedback exactly once",
        sorted(found) == sorted(traffic.feedback),
        f"{len(traffic.feedback):,} expected, {len(found):,} rows, {len(traffic.feedback - set(found))} lost",
    )
    rows = client.query("SELECT value, topic, partition, offset FROM mirante.deadletter").result_rows
    letters = [base64.b64decode(row[0]) for row in rows]
    positions = {tuple(row[1:]) for row in rows}  # a service that sends again after a broker's fall writes the same poison twice
    lost = traffic.poison - set(letters)
    others = [value for value in letters if value not in traffic.poison]
    yield Finding("all poison is in dead letters", not lost, f"{len(traffic.poison):,} expected, {len(lost)} lost")
    yield Finding("nothing else is", not others, f"{len(others)} others {others[:2]}")
    yield Finding("no dead letter is doubled", len(letters) == len(positions), f"{len(letters):,} rows, {len(positions):,} positions")
