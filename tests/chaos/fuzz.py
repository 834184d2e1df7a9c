"""`python -m tests.chaos.fuzz --events 200000 --seed 1`: odd events through a real worker; every record must be accounted for.

Nothing else is asked of them: what an odd event means is for other tests. At the end, for every input topic, records = rows + repeats +
dead letters, exactly.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deploy.embedded.stack import Stack, StackOptions
from streams.clickhouse import connect
from streams.kafka import client_options
from tests.chaos.conservation import Account, accounts, lost, reasons, twice
from tests.chaos.mutations import mutated
from tests.chaos.oracle import REQUIRED
from tests.chaos.publishing import publish, read_back
from tests.chaos.records import Stored

PARTITIONS = 4


@dataclass(frozen=True)
class Outcome:
    """``settled``: seconds until nothing moved any more; None if it went on."""

    accounts: list[Account]
    reasons: list[tuple[str, str, int]]
    settled: float | None
    published: int
    lost: list[Stored]
    """Of which nothing came."""
    twice: list[tuple[str, int, int]]
    """Places of records that ended as two things."""

    @property
    def holds(self) -> bool:
        return self.settled is not None and not self.lost and not self.twice and not any(each.missing for each in self.accounts)


async def fuzz(
    directory: Path, events: int, seed: int, say: Callable[[str], None], *, kafka: str = "embedded", settle: float = 300
) -> Outcome:
    """Publish ``events`` mutated events to a stack of its own with one worker, wait until it is at rest, and add up."""
    settings = {
        "partitions": str(PARTITIONS),
        "labels": {"enabled": True},
        "behaviour": {"enabled": True},
        "join": {"grace": 1.0, "orphan": 10.0},
    }
    async with Stack(StackOptions(directory, kafka=kafka, workers=1, settings=settings), say) as stack:
        connection, prefix = client_options(stack.settings), stack.settings.topic_prefix
        records = mutated(f"z{seed}", events, seed, time.time(), PARTITIONS)
        published = await publish(records, prefix, connection, paced=False)
        say(f"published {published:,} records; settling")
        settled = await _settle(stack, settle)
        if settled is None:
            say(f"not at rest after {settle:.0f} s: {await stack.status()}")
        stored = await read_back(list(REQUIRED), prefix, PARTITIONS, connection)
        say(f"read back {len(stored):,} records")
        client = connect(stack.settings.clickhouse_url)
        try:
            found = accounts(client, Counter(record.topic for record in stored), prefix)
            return Outcome(found, reasons(client), settled, published, list(lost(client, stored, prefix)), twice(client))
        finally:
            client.close()


async def _settle(stack: Stack, within: float) -> float | None:
    begun = time.monotonic()
    while (seconds := time.monotonic() - begun) < within:
        await asyncio.sleep(0.5)
        if not all(worker.alive for worker in stack.workers):
            raise SystemExit(f"a worker has ended; its log: {stack.workers[0].log_file}")
        if await stack.at_rest(3):
            return seconds
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kafka", choices=["embedded", "apache"], default="embedded")
    parser.add_argument("--settle", type=float, default=600, help="seconds until everything must be at rest")
    args = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="mirante-fuzz-"))
    run = fuzz(directory, args.events, args.seed, lambda text: print(text, file=sys.stderr), kafka=args.kafka, settle=args.settle)
    outcome = asyncio.run(run)
    for topic, reason, count in outcome.reasons[:40]:
        print(f"{count:9,}  {topic}  {reason}")
    for record in outcome.lost[:10]:
        print(f"nothing came of {record.topic} {record.partition}/{record.offset}: {record.value!r:.700}")
    print(f"{len(outcome.lost)} records ended as nothing, {len(outcome.twice)} as two things {outcome.twice[:5]}")
    print(*outcome.accounts, sep="\n")
    print(f"{outcome.published:,} published; at rest after {outcome.settled or -1:.0f} s")
    if outcome.holds:
        shutil.rmtree(directory)
    else:
        print(f"the data is kept: mirante query --data {directory} ...")
    sys.exit(0 if outcome.holds else 1)


if __name__ == "__main__":
    main()
