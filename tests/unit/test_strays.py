"""Answers without a session to requests with one: time is not said to have passed them while they are looked for."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from math import inf

import pytest

from agents.common.taps import Call, Head
from agents.interactions.join import WaitingResponse
from agents.interactions.state import InteractionsState
from agents.interactions.strays import Strays
from schemas.decoding import decode_response_with_unknown
from schemas.events import Evaluation, Feedback, Request
from streams.deadletters import Origin
from streams.effects import Effects
from streams.partitioner import partition_of
from tests.unit.builders import EPOCH, Json, World, request, response, settings, without

AT = EPOCH.timestamp()


def id_of(partition: int, kind: str) -> str:
    """An id at home in this one of two partitions."""
    return next(name for n in range(100) if partition_of((name := f"{kind}{n}").encode(), 2) == partition)


class Listener:
    """A tap that notes what all partitions tell, in order: ids of calls, and up to when (partition, seconds) everything is told."""

    def __init__(self, told: list[str | tuple[int, float]]) -> None:
        self.told = told

    def answered(self, call: Call) -> None:
        self.told.append(call.request.request_id)

    def unanswered(self, request: Request, time: float) -> None: ...

    def feedback(self, event: Feedback, line: bytes) -> None: ...

    def evaluation(self, event: Evaluation, line: bytes) -> None: ...

    def close(self, head: Head, announce: bool, effects: Effects) -> None:
        self.told.append((head.partition, head.complete - AT if head.complete else 0.0))


def listening() -> tuple[World, list[str | tuple[int, float]]]:
    world, told = World(settings(2)), list[str | tuple[int, float]]()
    heard = replace(world.context, taps=(lambda: Listener(told),))
    world.interactions = [InteractionsState(p, heard) for p in range(2)]
    return world, told


def passed_before(told: list[str | tuple[int, float]], request_id: str, time: float) -> bool:
    """Whether all partitions say that they have told of everything up to ``time`` before one tells of the call."""
    before = told[: told.index(request_id)] if request_id in told else told
    return all(any(isinstance(one, tuple) and one[0] == p and one[1] > time for one in before) for p in range(2))


def go_on(world: World, times: int = 5) -> None:
    """Workers look at the clock and tell each other; calls go on, and nobody writes feedback or evaluations."""
    silent = {world.topics.feedback: 4.0, world.topics.evaluations: 4.0}
    for _ in range(times):
        world.now += 4
        for state in world.interactions:
            world._do(partial(state.tick, world.now, silent))
        world.checkpoint()
        world.run()


def call(n: int, at: float, **of: str | None) -> tuple[Json, Json]:
    return request(n, at, **of), response(n, at + 1, **of)


def write_more(world: World) -> None:
    """Calls of a later window, in both partitions."""
    for n in range(6, 10):
        asked, said = call(n, 20, session_id=id_of(n % 2, "s"))
        world.publish("requests", asked)
        world.publish("responses", said)
    world.run()
    go_on(world)


@pytest.mark.parametrize("requests_first", [True, False])
def test_time_does_not_pass_an_answer_whose_request_is_in_another_partition(requests_first: bool) -> None:
    # Given: a request at the home of its session, its answer at that of its request_id, and later calls in both partitions
    world, told = listening()
    asked = request(1, 0, session_id=id_of(0, "s"), request_id=(strayed := id_of(1, "stray")), timeout_ms=300_000)
    said = without(response(1, 1, request_id=strayed), "session_id")
    later = [call(n, 8, session_id=id_of(n % 2, "s")) for n in range(2, 6)]
    requests, responses = [asked, *(one for one, _ in later)], [said, *(other for _, other in later)]
    for asked_or_said, kind in [*((one, "requests") for one in requests), *((one, "responses") for one in responses)]:
        world.publish(kind, asked_or_said)
    # When: everything is read, whichever topic first
    for partition in range(2):
        world.step(world.topics.requests if requests_first else world.topics.responses, partition)
    world.run()
    go_on(world)
    # Then: it is told of, and only then that time has passed it
    assert strayed in told
    assert not passed_before(told, strayed, 1.0)
    write_more(world)
    assert passed_before([*told, "end"], "end", 1.0), "and time goes on"


def test_an_answer_that_nobody_has_a_request_for_holds_time_back_until_all_have_said_so() -> None:
    world, told = listening()
    orphan = without(response(1, 1, request_id=id_of(1, "stray")), "session_id")
    later = [call(n, 8, session_id=id_of(n % 2, "s")) for n in range(2, 6)]
    world.publish("responses", orphan)
    for asked, said in later:
        world.publish("requests", asked)
        world.publish("responses", said)
    world.run()
    go_on(world, 1)
    assert not passed_before([*told, "now"], "now", 1.0)
    go_on(world)
    write_more(world)
    assert passed_before([*told, "end"], "end", 1.0)


def waiting(request_id: str, time: float) -> WaitingResponse:
    said, extra = decode_response_with_unknown(
        b'{"event_id":"e","time":"2026-03-01T12:00:00Z","request_id":"%s","response_id":"a","status":"ok"}' % request_id.encode()
    )
    return WaitingResponse(said, extra, time + 30, Origin("llm.responses", 0, 1, 2, None, None, []), astray=time)


def test_the_earliest_one_counts_as_long_as_it_waits_and_is_sought() -> None:
    held = {name: waiting(name, time) for name, time in (("a", 10.0), ("b", 20.0), ("c", 30.0))}
    strays = Strays(held)
    strays.add(held.values())
    assert strays.earliest == 10.0
    assert [one.response.request_id for one in strays.seek(1, until=20.0)] == ["a", "b"]
    assert strays.earliest == 10.0, "nobody has answered"
    del held["a"]  # its request has come
    assert strays.earliest == 20.0
    assert strays.settle(lambda asked_after: asked_after > 0) == []
    assert [one.response.request_id for one in strays.settle(lambda asked_after: asked_after == 0)] == ["b"]
    assert strays.earliest == 30.0 and held["b"].astray == inf
