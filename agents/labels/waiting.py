"""Feedback whose answer has not come yet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import heappop, heappush
from math import inf

from schemas.turns import FeedbackSignal, Turn


class Waiting:
    """Signals by what they name, with the moment (epoch seconds) until which each waits."""

    def __init__(self) -> None:
        self._signals: dict[str, FeedbackSignal] = {}
        self._named: dict[str, list[str]] = {}
        self._patience: list[tuple[float, str]] = []
        self._added: set[str] = set()
        self._served: set[str] = set()

    def __len__(self) -> int:
        return len(self._signals)

    def __contains__(self, event_id: str) -> bool:
        return event_id in self._signals

    def add(self, signal: FeedbackSignal, until: float) -> None:
        """A signal waits for its answer until a moment (epoch seconds)."""
        self._signals[signal.event_id] = signal
        self._named.setdefault(_name_of(signal), []).append(signal.event_id)
        heappush(self._patience, (until, signal.event_id))
        self._added.add(signal.event_id)
        self._served.discard(signal.event_id)

    def of(self, turn: Turn) -> list[FeedbackSignal]:
        """Those that may be about a turn, in the order of their times."""
        names = [f"a{turn.response_id}", f"r{turn.request_id}"] + ([] if turn.session_id is None else [f"s{turn.session_id}"])
        found = [self._signals[event_id] for name in names for event_id in self._named.get(name, ())]
        return sorted(found, key=lambda signal: (signal.time, signal.event_id))

    def serve(self, signal: FeedbackSignal) -> None:
        """A signal no longer waits."""
        del self._signals[signal.event_id]
        left = self._named[_name_of(signal)]
        left.remove(signal.event_id)
        if not left:
            del self._named[_name_of(signal)]
        self._added.discard(signal.event_id)
        self._served.add(signal.event_id)

    @property
    def patience(self) -> float:
        """Nobody is given up before."""
        return self._patience[0][0] if self._patience else inf

    def give_up(self, now: float, most: int) -> Iterator[FeedbackSignal]:
        """Serve and return those that have waited long enough, and the first ones beyond ``most``."""
        while self._patience and (self._patience[0][0] <= now or len(self._signals) > most):
            signal = self._signals.get(heappop(self._patience)[1])
            if signal is not None:
                self.serve(signal)
                yield signal

    # Persistence

    def take_changes(self) -> tuple[list[FeedbackSignal], list[str]]:
        """Signals that wait since the last call, and ids of those that do no longer."""
        added, served = [self._signals[event_id] for event_id in sorted(self._added)], sorted(self._served)
        self._added, self._served = set(), set()
        return added, served

    def all(self) -> list[FeedbackSignal]:
        """All signals that wait for their answer."""
        return list(self._signals.values())

    def load(self, added: Iterable[FeedbackSignal], served: Iterable[str], patience: float) -> None:
        """Restore what the above returned."""
        for event_id in served:
            if event_id in self._signals:
                self.serve(self._signals[event_id])
        for signal in added:
            if signal.event_id not in self._signals:
                self.add(signal, signal.time + patience)
        self._added, self._served = set(), set()


def _name_of(signal: FeedbackSignal) -> str:
    """What feedback waits for: the most precise thing it names."""
    if signal.response_id is not None:
        return f"a{signal.response_id}"
    return f"r{signal.request_id}" if signal.request_id is not None else f"s{signal.session_id}"
