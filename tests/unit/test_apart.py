"""Which answers are counted beside the sums of their request: two records say so, whoever reads them, and when."""

from __future__ import annotations

import random
from math import inf

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from agents.interactions.apart import CLOCKS, SETTLES, SETTLES_HISTORY, closes, is_apart, soon
from schemas.partials import ALONE
from schemas.rows import CostPartRow
from tests.unit.builders import Json, World, expected_rows, request, response, settings

PATIENCE, HOUR, DAY = 20.0, 3_600.0, 86_400.0


@pytest.mark.parametrize(
    ("asked", "written", "ended", "answered", "apart"),
    [
        (0, 0, 1, 1, False),
        (0, 0, HOUR, HOUR, False),
        (0, 0, DAY, DAY, True),
        (0, 0, 1, DAY, True),  # published a day late
        (-DAY, 0, 1 - DAY, 1, False),  # both published a day late, together
        (-DAY, 0, 1 - DAY, PATIENCE + SETTLES_HISTORY + 1, True),
        (-DAY, 0, 0, 1, True),  # a history in one go, of an answer of the next day
        (0, 0, 1, -DAY, False),
    ],
)
def test_an_answer_is_apart_by_what_the_records_say_or_by_when_they_were_written(
    asked: float, written: float, ended: float, answered: float, apart: bool
) -> None:
    assert is_apart(asked, written, ended, answered, PATIENCE, SETTLES) == apart


@given(
    time=st.floats(-1e6, 1e6), written=st.floats(-1e6, 1e6), ended=st.floats(-1e6, 1e6), patience=st.floats(0, 1e4),
    settles=st.sampled_from([SETTLES, 10.0]), ahead=st.floats(-CLOCKS, CLOCKS), later=st.floats(1e-3, 1e6),
)  # fmt: skip
def test_what_is_written_once_a_request_may_be_closed_is_apart(
    time: float, written: float, ended: float, patience: float, settles: float, ahead: float, later: float
) -> None:
    """However wrong the clock of its writer may be by ``CLOCKS``."""
    wall = closes(time, written, inf, patience, settles)
    assert is_apart(time, written, ended, wall + ahead + later, patience, settles)


@given(
    time=st.floats(-1e6, 1e6), written=st.floats(-1e6, 1e6), after=st.floats(-1e6, 0), later=st.floats(-1e6, 0),
    patience=st.floats(0, 1e4), settles=st.sampled_from([SETTLES, 10.0]),
)  # fmt: skip
def test_what_comes_soon_is_never_apart(
    time: float, written: float, after: float, later: float, patience: float, settles: float
) -> None:
    ended, answered = time + soon(settles) + after, written + soon(settles) + later
    assume(max(ended - time, answered - written) <= soon(settles))  # but for rounding it is
    assert not is_apart(time, written, ended, answered, patience, settles)


def test_a_request_whose_kafka_time_has_not_come_yet_is_closed_as_if_it_were_now() -> None:
    assert closes(DAY, DAY, 0.0, PATIENCE, SETTLES) == closes(0.0, CLOCKS, 0.0, PATIENCE, SETTLES)


def parts_of(world: World) -> set[tuple[str, bool]]:
    """Of which windows there are parts, and whether they are of one answer only."""
    return {(str(row.window_start), row.segment >= ALONE) for row in world.tables.rows[CostPartRow.TABLE].values()}


@pytest.mark.parametrize("delay", [40.0, HOUR / 2, 2 * HOUR, DAY])
@pytest.mark.parametrize("published", ["as it happens", "a day later"])
def test_whatever_is_read_first_an_answer_is_counted_in_the_same_part(delay: float, published: str) -> None:
    # Given: a call whose answer is late, and others meanwhile
    shift = DAY if published == "a day later" else 0.0
    events: list[tuple[str, Json, float]] = [("requests", request("x", 0.0), shift), ("responses", response("x", delay), shift + delay)]
    for n in range(1, 30):
        events.append(("requests", request(n, delay * n / 15, session_id="sx"), shift + delay * n / 15))
        events.append(("responses", response(n, delay * n / 15 + 0.5, session_id="sx"), shift + delay * n / 15 + 0.5))
    events.sort(key=lambda event: event[2])
    # When: it is read as it is written, or in any other order afterwards
    found = []
    for seed in range(4):
        rng, world = random.Random(seed), World(settings(1))
        for kind, event, written in events:
            world.publish(kind, event, written=written)
            if seed == 0:
                world.run()
                world.wait(8.0)
        while unread := world.unread():
            world.step(*rng.choice(unread), rng.randint(1, 20))
        world.finish()
        rows, windows = expected_rows(event for _, event, _ in events)
        assert world.tables.interactions() == rows and world.tables.windows() == windows
        found.append(parts_of(world))
    # Then
    assert all(parts == found[0] for parts in found)
    assert any(apart for _, apart in found[0]) == (delay > (PATIENCE + SETTLES_HISTORY if shift else HOUR))
