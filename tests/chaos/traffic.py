"""Traffic whose effect on every public table is computable: the load of the benchmarks, with feedback, wrong keys and poison."""

from __future__ import annotations

from collections.abc import Iterator

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
