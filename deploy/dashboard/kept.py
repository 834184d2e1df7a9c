"""Answers shared by all who ask the same at about the same time: three open pages cost hardly more than one."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, TypeVar

MOST = 128
"""Answers that are kept."""

T = TypeVar("T")


class KeptAnswers:
    """Answers by what was asked. ``clock``: seconds that never go back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: OrderedDict[Hashable, tuple[float, asyncio.Future[Any]]] = OrderedDict()

    async def get(
        self, key: Hashable, seconds: float, ask: Callable[[], Coroutine[Any, Any, T]]
    ) -> T:
        """The answer to ``key``: one that is under way or was begun within ``seconds``, or else what ``ask`` gives.

        An error is for all who wait for it; the next one asks again.
        """
        now = self._clock()
        found = self._kept.get(key)
        if found is None or (found[1].done() and now - found[0] > seconds):
            found = now, asyncio.ensure_future(ask())
            self._kept[key] = found
            self._kept.move_to_end(key)
            while len(self._kept) > MOST:
                self._kept.popitem(last=False)
        # Who goes away must not end the question for another one that waits for its answer.
        try:
            answer: T = await asyncio.shield(found[1])
        except Exception:
            if self._kept.get(key) is found:
                del self._kept[key]
            raise
        return answer
