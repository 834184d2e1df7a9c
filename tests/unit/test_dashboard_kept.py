"""What is asked once for all who look at the same page."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from deploy.dashboard.kept import MOST, KeptAnswers


class Asked:
    """Counts how often it is asked; answers once it may."""

    def __init__(self) -> None:
        self.times = 0
        self.may = asyncio.Event()
        self.fails = False

    async def __call__(self) -> int:
        self.times += 1
        number = self.times
        await self.may.wait()
        if self.fails:
            raise ValueError("no server answers")
        return number


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def run(test: Callable[[KeptAnswers, Asked, Clock], Coroutine[Any, Any, None]]) -> None:
    async def whole() -> None:
        clock = Clock()
        await test(KeptAnswers(clock), Asked(), clock)

    asyncio.run(whole())


def test_who_asks_at_the_same_time_shares_an_answer() -> None:
    async def test(kept: KeptAnswers, asked: Asked, clock: Clock) -> None:
        waiting = [asyncio.ensure_future(kept.get("spend", 1.0, asked)) for _ in range(3)]
        await asyncio.sleep(0)
        asked.may.set()
        assert await asyncio.gather(*waiting) == [1, 1, 1]

    run(test)


def test_an_answer_is_kept_for_its_seconds_and_no_longer() -> None:
    async def test(kept: KeptAnswers, asked: Asked, clock: Clock) -> None:
        asked.may.set()
        found = []
        for clock.now in (0.0, 5.0, 5.1):
            found.append(await kept.get("spend", 5.0, asked))
        assert found == [1, 1, 2]
        assert await kept.get("requests", 5.0, asked) == 3

    run(test)


def test_one_that_takes_longer_than_it_is_kept_is_waited_for() -> None:
    async def test(kept: KeptAnswers, asked: Asked, clock: Clock) -> None:
        first = asyncio.ensure_future(kept.get("spend", 5.0, asked))
        await asyncio.sleep(0)
        clock.now = 60.0
        second = asyncio.ensure_future(kept.get("spend", 5.0, asked))
        await asyncio.sleep(0)
        asked.may.set()
        assert (await first, await second) == (1, 1)

    run(test)


def test_a_page_that_is_closed_does_not_end_the_question_for_others() -> None:
    async def test(kept: KeptAnswers, asked: Asked, clock: Clock) -> None:
        closed, open_ = (asyncio.ensure_future(kept.get("spend", 1.0, asked)) for _ in range(2))
        await asyncio.sleep(0)
        closed.cancel()
        await asyncio.sleep(0)
        asked.may.set()
        assert await open_ == 1
        assert closed.cancelled()

    run(test)


def test_an_error_is_for_who_waits_and_the_next_one_asks_again() -> None:
    async def test(kept: KeptAnswers, asked: Asked, clock: Clock) -> None:
        asked.fails = True
        asked.may.set()
        for _ in range(2):
            with pytest.raises(ValueError, match="no server answers"):
                await kept.get("spend", 60.0, asked)
        asked.fails = False
        assert await kept.get("spend", 60.0, asked) == 3

    run(test)


def test_the_oldest_answers_are_forgotten() -> None:
    async def test(kept: KeptAnswers, asked: Asked, clock: Clock) -> None:
        asked.may.set()
        for number in range(MOST + 1):
            await kept.get(number, 60.0, asked)
        assert await kept.get(1, 60.0, asked) == 2
        assert await kept.get(0, 60.0, asked) == MOST + 2

    run(test)
