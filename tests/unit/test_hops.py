"""What is missing may be sent on twice before it is where it is waited for: it is asked for twice before it is given up."""

from __future__ import annotations

import json
import time

from agents.interactions.join import Join, WaitingResponse
from agents.interactions.progress import ReadAnswer, ReadingProgress
from schemas.decoding import decode_response_with_unknown
from streams.deadletters import Origin
from tests.unit.builders import EPOCH, response, without

PARTITIONS = 3


def waiting() -> WaitingResponse:
    """An answer that names no session: its request may be in any partition."""
    event, extra = decode_response_with_unknown(json.dumps(without(response(1), "session_id")).encode())
    return WaitingResponse(event, extra, EPOCH.timestamp(), Origin("llm.responses", 0, 0, 0, None, None, []), astray=EPOCH.timestamp())


def given_up(join: Join, progress: ReadingProgress) -> bool:
    return any(due.response is not None for due in join.due(EPOCH.timestamp() + 1_000, time.time(), progress))


def asked_and_answered(join: Join, progress: ReadingProgress, now: float) -> None:
    ask = progress.ask(0, now, lambda round, most: [(w.response.request_id, w.response.event_id) for w in join.wanted(round, most)])
    assert ask is not None
    for partition in range(PARTITIONS):
        progress.answered(ReadAnswer(partition, ask.round, ask.nonce))


def test_an_answer_is_given_up_when_all_have_been_asked_twice_one_after_the_other() -> None:
    """given a request in a wrong partition, which sends it to its home and then answers, when its home had answered before it came, then
    the home is asked again, behind what was sent to it."""
    join, progress = Join(), ReadingProgress(PARTITIONS, "nonce")
    join.wait(waiting())
    assert not given_up(join, progress)
    asked_and_answered(join, progress, 10.0)
    assert not given_up(join, progress)
    assert join.holds
    asked_and_answered(join, progress, 20.0)
    assert given_up(join, progress)
