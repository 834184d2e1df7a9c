"""What a budget per user costs: memory, time per part and whether anybody is missed. Run it: `python -m tests.bench.budgets`.

A million users (`--users`) under $5 per user and day, in one partition's state: each has some usage, one in a thousand exceeds the
budget at a random moment. Segments settle as they go, with the last 64 alive, and a checkpoint is taken every 50,000 parts.
*Crossing delay*: records from the one that holds the crossing part to the one whose application reports it; 0 is the same record. The
ledger's sums are compared with the sum of what was sent.

A second table: what the matcher costs stage 1 per interaction. A third: which sessions are taken for loops (`--only loops`).
"""

from __future__ import annotations

import argparse
import gc
import random
import resource
import statistics
import time
from collections import Counter
from itertools import chain, repeat

import msgspec
from rich.console import Console
from rich.table import Table

from agents.budgets.recent import Lap
from agents.budgets.rules import RunawayTable, read_rules
from agents.budgets.runaway import find_loop
from agents.budgets.state import BudgetState
from agents.budgets.windows import BUCKET
from agents.interactions.signature import signature_of
from schemas.decoding import decode_request
from schemas.findings import Findings
from schemas.group_usage import Group, GroupUsage, UsagePart, UsageParts
from streams.effects import Effects
from tests.bench import smoke
from tests.unit.builders import FakeBatch, Record, request

DOLLAR = 10**12
START = 1_772_409_600
PER_MESSAGE = 500
LIVE_SEGMENTS = 64
CHECKPOINT = 50_000
QUIET = {"enabled": False}


def resident() -> int:
    """Bytes of memory this process holds."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--users", type=int, default=1_000_000)
    options.add_argument("--window", default="day", help="of the budget; such as '24h' for a rolling one")
    options.add_argument("--only", choices=["ledger", "matcher", "loops"], help="only this table")
    options.add_argument("--burn", action="store_true", help="with burn rates per user")
    given = smoke.parse(options, users=1_000, only="ledger")
    console = Console()
    if given.only in (None, "ledger"):
        ledger(console, given.users, given.window, given.burn)
    if given.only in (None, "matcher"):
        matcher(console)
    if given.only in (None, "loops"):
        loops(console)


def ledger(console: Console, users: int, window: str, burn: bool) -> None:
    rules = read_rules([{"name": "b", "by": "user", "limit": 5, "window": window, "burn": burn}], runaway=QUIET)
    (identity,) = rules.by_id
    state = BudgetState(0, rules, findings="findings", source="bench", sources=1)
    rng = random.Random(1)
    heavy = set(rng.sample(range(users), users // 1_000))
    # Two rounds of small parts over all users; those of the heavy ones have one part of $5 in it somewhere.
    order = list(range(users))
    rng.shuffle(order)
    sent: Counter[int] = Counter()
    crossed: dict[str, int] = {}
    reported: dict[str, int] = {}
    gc.collect()
    before, spent, slowest, count, number, saved = resident(), 0.0, 0.0, 0, 0, 0
    parts = chain(zip(order, repeat(False)), zip(reversed(order), repeat(True)))
    seconds_per_part = 3_600 * 20 / (2 * users)
    while True:
        batch: list[UsagePart] = []
        at = START
        for user, second in parts:
            at = START + int(count * seconds_per_part)
            count += 1
            money = 5 * DOLLAR if second and user in heavy else rng.randint(1, DOLLAR)
            sent[user] += money
            name = f"user-{user:08d}-{'x' * 16}"
            if user in heavy and sent[user] >= 5 * DOLLAR:
                crossed.setdefault(name, number)
            usage = GroupUsage(1, 1, 0, 900, 0, money, {}, [(money / DOLLAR, f"answer-{count}")])
            batch.append(UsagePart(count // 16_384, at // 10 * 10, Group(identity, (name,)), usage))
            if len(batch) == PER_MESSAGE:
                break
        if not batch:
            break
        settled = max(0, count // 16_384 - LIVE_SEGMENTS)
        value = msgspec.msgpack.encode(UsageParts("bench", 0, (settled,), float(at), False, batch))
        record = FakeBatch("usage", 0, [Record("usage", 0, number, 0, None, value, ())], number + 1)
        effects = Effects()
        began = time.process_time()
        state.apply(record, effects)
        took = time.process_time() - began
        spent, slowest = spent + took, max(slowest, took)
        for message in effects.messages:
            for finding in msgspec.msgpack.decode(message.value, type=Findings).findings:
                assert finding.active
                reported.setdefault(finding.labels["user"], number)
        number += 1
        if number % (CHECKPOINT // PER_MESSAGE) == 0:
            saved += len(state.changes() or b"")
    gc.collect()
    memory = resident() - before
    began = time.process_time()
    sizes = [len(piece) for piece in state.snapshot()]
    snapshot = time.process_time() - began
    delays = [reported[name] - at for name, at in crossed.items() if name in reported]
    table = Table(title=f"{users:,} users, $5 per user and {window}, burn rates {'on' if burn else 'off'}", show_header=False)
    held = {values: amount for _, values, _, amount in state.used()}
    exact = all(held[(f"user-{user:08d}-{'x' * 16}",)] == amount for user, amount in sent.items())
    for label, text in (
        ("memory of the state (bench's own sums included)", f"{memory / 1e6:,.0f} MB"),
        ("groups / live parts", f"{state.gauges()['budget_groups']:,.0f} / {state.gauges()['budget_parts']:,.0f}"),
        ("parts applied", f"{count:,}"),
        ("CPU time per part, decoding included", f"{spent / count * 1e6:.2f} µs"),
        (f"slowest message of {PER_MESSAGE} parts", f"{slowest * 1e3:.1f} ms"),
        ("changes per part", f"{saved / count:.0f} bytes"),
        ("snapshot", f"{sum(sizes) / 1e6:,.0f} MB in {len(sizes):,} pieces, largest {max(sizes) / 1e3:.0f} kB, {snapshot:.1f} s"),
        ("users over the budget / reported / missed", f"{len(crossed):,} / {len(reported):,} / {len(crossed.keys() - reported.keys()):,}"),
        ("crossing delay, records: median / worst", f"{statistics.median(delays):.0f} / {max(delays)}"),
        ("sums equal what was sent, to the picodollar", "yes" if exact else "NO"),
    ):
        table.add_row(label, text)
    console.print(table)


def matcher(console: Console) -> None:
    by_dimension: list[list[str]] = [[], ["tenant"], ["feature"], ["model"], ["tenant", "feature"]]
    monthly = [{"name": f"b{n}", "by": by, "limit": 500, "window": "month"} for n, by in enumerate(by_dimension)]
    sets = {
        "loops only (no settings)": read_rules(),
        "5 budgets by tenant, feature and model": read_rules(monthly, runaway=QUIET),
        "those, one by user, a limit by user, loops": read_rules(
            [*monthly, {"name": "u", "by": "user", "limit": 5, "window": "day"}],
            [{"name": "l", "by": "user", "limit": 60, "per": 60}],
        ),
    }
    calls = []
    for n in range(10_000):
        messages = [{"role": "user", "content": f"question {n} " * 20}]
        event = request(n, user_id=f"u{n}", trace_id=f"t{n}", feature=f"f{n % 20}", messages=messages)
        calls.append(decode_request(msgspec.json.encode(event)))
    table = Table("rules", "groups per call", "µs of CPU per call", title="Matching in stage 1")
    for label, rules in sets.items():
        began = time.process_time()
        groups = sum(len(rules.groups(call)) for call in calls)
        took = time.process_time() - began
        table.add_row(label, f"{groups / len(calls):.1f}", f"{took / len(calls) * 1e6:.2f}")
    began = time.process_time()
    for call in calls:
        signature_of(call)
    table.add_row("signature of 240 characters, for loops", "", f"{(time.process_time() - began) / len(calls) * 1e6:.2f}")
    console.print(table)


def loops(console: Console) -> None:
    """Sessions of five minutes at a Poisson rate, no call like another, whose tokens vary (standard deviation of the logarithm) and grow
    by a share of the first per minute."""
    rates, growths, runs = (20, 30, 60, 120), (0.0, 0.05, 0.2, 0.3), 400
    table = Table("vary", "grow", *(f"{rate}/min" for rate in rates))
    table.title = f"Sessions reported as loops, and within two minutes ({runs} of each kind)"
    rng = random.Random(20)
    for sigma in (0.1, 0.3, 0.8):
        for growth in growths:
            cells = []
            for rate in rates:
                found = [end for _ in range(runs) if (end := _reported(rng, rate, sigma, growth)) is not None]
                cells.append(f"{len(found) / runs:.1%}, {sum(end <= 120 for end in found) / runs:.0%}")
            table.add_row(f"{sigma}", f"{growth:.0%}", *cells, end_section=growth == growths[-1])
    console.print(table)


def _reported(rng: random.Random, rate: float, sigma: float, growth: float) -> int | None:
    rule = RunawayTable()
    laps: list[tuple[int, Lap]] = []
    at = rng.expovariate(rate / 60)
    for window in range(0, 300, BUCKET):
        calls = tokens = 0
        while at < window + BUCKET:
            calls, tokens = calls + 1, tokens + int(2_000 * (1 + growth * at / 60) * rng.lognormvariate(0, sigma))
            at += rng.expovariate(rate / 60)
        if calls:
            laps.append((window, Lap(1, calls, tokens, 0, (), ())))
        if find_loop(laps, window + BUCKET, rule) is not None:
            return window + BUCKET
    return None


if __name__ == "__main__":
    main()
