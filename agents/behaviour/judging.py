"""Which calls a judge is shown: so many per hour of each feature and model, and as many again of those that look doubtful.

A call is taken if its own draw, a hash of its request_id, is below a rate that follows from the hour before, until the hour's share is
taken: the sample is the same whenever the stream is read, and spread over the hour. Doubtful are calls that ended in a refusal, that a
guard flagged or that held personal data; and those a user disliked, as long as they are remembered.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from agents.behaviour.items import Disliked, Ran
from agents.behaviour.settings import BehaviourSettings
from agents.behaviour.table import Table

HOUR = 3_600
MAX_STRATA = 2_000

StratumKey = tuple[str, str, str, bool]
"""Tenant, feature, model, doubtful."""


class Stratum(msgspec.Struct, array_like=True, gc=False):
    """``hour``: its start; ``before``: calls of the hour before, None if there was no call; ``seen`` and ``taken``: of this hour."""

    hour: int = 0
    before: int | None = None
    seen: int = 0
    taken: int = 0


class Reserve(msgspec.Struct, array_like=True, gc=False):
    """A candidate that was not taken."""

    request_id: str
    response_id: str
    stratum: StratumKey
    task: bytes


class Task(NamedTuple):
    """``value``: the JudgeTask as JSON."""

    response_id: str
    value: bytes


_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode


class Judging:
    """Of one partition."""

    def __init__(self, settings: BehaviourSettings) -> None:
        self._settings = settings
        self.strata: Table[StratumKey, Stratum] = Table(MAX_STRATA)
        self.held: Table[tuple[str, str], Reserve] = Table(settings.max_candidates)

    def take(self, call: Ran, now: float) -> Iterator[Task]:
        """The task of a call that is taken."""
        if not self._settings.judge:
            return
        key = (call.tenant, call.feature, call.model, bool(call.doubts))
        stratum = self._stratum(key, now)
        stratum.seen += 1
        share = self._settings.judge_per_hour
        rate = 1.0 if stratum.before is None else share / max(stratum.before, 1)
        taken = call.task is not None and call.draw < rate and stratum.taken < share
        stratum.taken += taken
        self.strata.put(key, stratum)
        if call.task is None:
            return
        if taken:
            yield _task(call.response_id, call.task, call.doubts or ["sample"])
        else:
            self.held.put((call.tenant, call.response_id), Reserve(call.id, call.response_id, key, call.task))

    def dislike(self, signal: Disliked, now: float) -> Iterator[Task]:
        """The task of a call that a user disliked, if it is remembered and was not taken."""
        at = (signal.tenant, signal.response_id)
        if not signal.response_id:
            at = next((key for key, h in self.held if key[0] == signal.tenant and h.request_id == signal.request_id), at)
        held = self.held.get(at)
        if held is None:
            return
        key = (*held.stratum[:3], True)
        stratum = self._stratum(key, now)
        if stratum.taken >= self._settings.judge_per_hour:
            return
        stratum.taken += 1
        self.strata.put(key, stratum)
        self.held.drop(at)
        yield _task(held.response_id, held.task, [signal.kind])

    def _stratum(self, key: StratumKey, now: float) -> Stratum:
        stratum = self.strata.get(key) or Stratum(int(now) // HOUR * HOUR)
        hour = int(now) // HOUR * HOUR
        if hour > stratum.hour:
            before = stratum.seen if hour == stratum.hour + HOUR else 0
            stratum = Stratum(hour, before, 0, 0)
        return stratum


def _task(response_id: str, encoded: bytes, reasons: list[str]) -> Task:
    return Task(response_id, _encode({**_fields(encoded), "reasons": reasons}))
