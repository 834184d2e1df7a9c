"""What becomes of a batch that cannot be read: a dead letter for each, and a word on /health for a while."""

from __future__ import annotations

import asyncio
import base64

import pytest

from schemas.outputs import DeadLetter
from streams.damage import MOST_TOLD, STAGE, TOLD_SECONDS, Damage
from streams.deadletters import Origin, dead_letter, row_of
from streams.fetching import Unreadable
from streams.metrics import Metrics
from tests.unit.builders import FakeBatch
from tests.unit.test_checkpoint_pieces import new_checkpointer
from tests.unit.test_checkpoint_simulation import Cluster
from tests.unit.test_drift_state import SAMPLES
from tests.unit.test_metrics import series


def unreadable(first: int = 7, last: int = 9, topic: str = "events") -> Unreadable:
    return Unreadable(topic, 1, first, 1000, 0, None, b"raw", None, -1, 3, (), last_offset=last, reason="there is no codec 5")


def test_its_dead_letter_says_where_why_and_what() -> None:
    letter = Damage("cluster").letter(unreadable())
    assert (letter.source, letter.topic, letter.partition, letter.offset, letter.stage) == ("cluster", "events", 1, 7, STAGE)
    assert letter.reason == "offsets 7 to 9: a batch that cannot be read: there is no codec 5"
    assert letter.time.timestamp() == 1 and base64.b64decode(letter.value or "") == b"raw"
    assert [(name, base64.b64decode(value or "")) for name, value in letter.headers] == [("mirante-last-offset", b"9")]


def test_met_again_it_is_the_same_letter() -> None:
    assert Damage("cluster").letter(unreadable()) == Damage("cluster").letter(unreadable())


def test_health_names_it_for_a_while() -> None:
    # Given
    now = 0.0
    damage = Damage("cluster", lambda: now)
    damage.letter(unreadable(7, 9))
    now = TOLD_SECONDS / 2
    damage.letter(unreadable(20, 20))
    first, second = (f"events 1: offsets {a} to {b} cannot be read (there is no codec 5)" for a, b in ((7, 9), (20, 20)))

    # Then
    assert damage.problems() == [first, second]
    now = TOLD_SECONDS
    assert damage.problems() == [second]
    now = 2 * TOLD_SECONDS
    assert damage.problems() == []


def test_health_names_the_latest_of_many() -> None:
    damage = Damage("cluster")
    for offset in range(MOST_TOLD + 5):
        damage.letter(unreadable(offset, offset))
    assert len(damage.problems()) == MOST_TOLD and "offsets 24 to 24" in damage.problems()[-1]


@pytest.mark.parametrize("timestamp", [-1, -(2**63), 2**62])
def test_a_record_with_a_time_that_cannot_be_has_a_dead_letter_all_the_same(timestamp: int) -> None:
    letter = dead_letter(Origin("events", 0, 0, timestamp, None, b"x", []), source="cluster", stage="s", reason="r")
    assert 1970 <= row_of(letter).time.year <= 2199


def test_the_checkpoint_that_passes_it_stores_its_letter_and_counts_it() -> None:
    async def main() -> None:
        # Given a batch in which three records are sound and some cannot be read, of which it had passed the first
        cluster, metrics, letters = Cluster(), Metrics(), []
        checkpointer = new_checkpointer(cluster, [], metrics)

        async def send_letters(sent: list[DeadLetter]) -> None:
            letters.extend(sent)

        checkpointer._send_letters = send_letters  # type: ignore[method-assign]
        await checkpointer.restore({1})
        await checkpointer.apply(FakeBatch(SAMPLES, 1, [], next_offset=5, highwater=30), lambda: None)
        batch = FakeBatch(SAMPLES, 1, [], 30, 30, [unreadable(3, 4, SAMPLES), unreadable(7, 9, SAMPLES), unreadable(20, 29, SAMPLES)])

        # When
        await checkpointer.apply(batch, lambda: None)
        await checkpointer.flush()

        # Then
        assert [(letter.offset, letter.stage) for letter in letters] == [(7, STAGE), (20, STAGE)]
        assert series(metrics, "mirante_unreadable_records_total") == {(SAMPLES,): 13.0}
        assert series(metrics, "mirante_dead_letters_total") == {(STAGE,): 2.0}
        assert series(metrics, "mirante_lag") == {(SAMPLES, "1"): 0.0}

    asyncio.run(main())
