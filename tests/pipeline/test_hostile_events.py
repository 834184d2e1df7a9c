"""Given a running worker, when the largest events come with the worst texts, then its pages answer within a second all the while."""

from __future__ import annotations

import random
import threading
import time
import urllib.request
from types import TracebackType

import pytest

from tests.bench.hostile_text import SHAPES
from tests.installation import Installation, Sent, request, response, unique

SIZE = 900_000
WITHIN = 1.0
"""Seconds of the clock: the pages have a thread of their own, so an event that takes longer does not keep them waiting."""

WORST = (
    "e-mails", "table of four digits", "table of small integers, blanks", "keys called keys", "ranges", "one, again and again",
    "combining marks on digits", "cards", "telephones", "hashes", "SQL", "every plane",
)  # fmt: skip
"""Those that take longest of people's pastes, personal data, the worst of each rule and Unicode; all are in tests/bench/hostile_text.py."""


class Pages:
    """Asks a worker for `/health` again and again; `slowest`: seconds that the slowest answer took."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self.slowest = 0.0

    def __enter__(self) -> Pages:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()

    def _ask(self) -> None:
        while not self._ended.wait(0.02):
            begun = time.monotonic()
            with urllib.request.urlopen(self._url, timeout=60) as answer:
                assert answer.status == 200
            self.slowest = max(self.slowest, time.monotonic() - begun)


def hostile(shape: str) -> str:
    text = SHAPES[shape](random.Random(7), SIZE)
    return text.encode("utf-8", "replace")[:SIZE].decode("utf-8", "ignore")


def slowest_answer(mirante: Installation, question: str, answer: str) -> float:
    """Of `/health`, while a call with these texts is processed."""
    run = unique("hostile")
    asked = request(run, tenant=run, messages=[{"role": "user", "content": question}])
    call = [Sent("requests", asked, run), Sent("responses", response(run, tenant=run, output=answer), run)]
    sql = "SELECT count() FROM mirante.interactions WHERE tenant = {tenant:String} AND outcome != 'unanswered'"
    with Pages(f"{mirante.stack.metrics_urls[0]}/health") as pages:
        mirante.publish(call)
        mirante.eventually(sql, [(1,)], tenant=run)
    return pages.slowest


@pytest.mark.parametrize("shape", WORST)
def test_health_answers_while_a_hostile_event_is_processed(mirante: Installation, shape: str) -> None:
    assert slowest_answer(mirante, "Is this in order?", hostile(shape)) <= WITHIN


def test_health_answers_while_a_call_is_hostile_on_both_sides(mirante: Installation) -> None:
    text = hostile(WORST[0])
    assert slowest_answer(mirante, text, text) <= WITHIN
