"""Traffic whose effect on every public table is computable: the load of the benchmarks, with feedback, wrong keys and poison."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from agents.interactions.pricing import PriceBook
from streams.traffic.load import Load
from streams.traffic.record import TimedRecord, rfc3339

POISON_EVERY = 100
WRONG_KEY_EVERY = 37
FEEDBACK_EVERY = 20


class ChaosTraffic:
    """``pairs`` interactions and what comes with them."""

    def __init__(self, run: str, pairs: int, rate: float, start_us: int) -> None:
        """``rate``: interactions per second of event time."""
        self.run = run
        self.load = Load(pairs=pairs, run=run, start_us=start_us, rate=rate, event_bytes=600)
        self.poison: set[bytes] = set()
        self.feedback: set[str] = set()
        self.events = 0

    def spent(self) -> dict[str, int]:
        """Picodollars by tenant."""
        prices, day = PriceBook(), datetime.fromtimestamp(self.load.start_us / 1e6, UTC).date()
        total: Counter[str] = Counter()
        for pair in range(self.load.pairs):
            series, (used_in, used_out) = self.load.series_of(pair), self.load.tokens(pair)
            total[series.tenant] += prices.price(series.provider, series.model, day, (used_in, used_out, None, None, None)).picodollars or 0
        return dict(total)

    def budgets(self) -> list[dict[str, Any]]:
        """For each tenant one that is used up to the last picodollar, and one that is not by a single one."""
        return [
            {
                "name": f"{tenant}-{kind}",
                "scope": {"tenant": tenant},
                "limit": str(Decimal(spent + more).scaleb(-12)),
                "window": "rolling 24h",
            }
            for tenant, spent in self.spent().items()
            for kind, more in (("exhausted", 0), ("kept", 1))
        ]

    def records(self) -> Iterator[TimedRecord]:
        """Everything to publish, in time order."""
        for number, record in enumerate(self.load.records()):
            if number % WRONG_KEY_EVERY == 0:
                record = record._replace(key=b"wrong-%d" % number)
            self.events += 1
            yield record
            if number % POISON_EVERY == 0:
                poison = b'{"event_id": "poison-%s-%d", ' % (self.run.encode(), number)
                self.poison.add(poison)
                self.events += 1
                yield record._replace(value=poison)
            if number % FEEDBACK_EVERY == 0:
                event_id = f"feedback-{self.run}-{number}"
                self.feedback.add(event_id)
                self.events += 1
                moment = rfc3339(int(record.time * 1e6))
                value = f'{{"event_id":"{event_id}","time":"{moment}","kind":"copy","session_id":"s-{number}","tenant":"{self.run}"}}'
                yield TimedRecord(record.time, "feedback", f"s-{number}".encode(), value.encode())
