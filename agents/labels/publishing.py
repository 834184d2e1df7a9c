"""Versions of labels, to the topic and to the table."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from agents.labels.reliability import EXPLICIT, NAMES, LabelModel, Vote
from agents.labels.sessions import LEFT, Answer, Published
from schemas import outputs
from schemas.rows import LabelRow
from streams.effects import Effects, Message
from streams.partitioner import partitions_of

POSITIVE, NEGATIVE = 0.7, 0.35
MATERIAL = 0.1
"""A change of the score that is worth a version although neither label nor evidence changed."""

_encode = msgspec.json.Encoder().encode


class Verdict(NamedTuple):
    """What is to be said of an answer, all of which follows from the votes and the model. ``evidence``: names of the votes."""

    label: outputs.LabelName
    score: float
    explicit: bool
    weights: list[float]
    evidence: str


class Publisher:
    """``topic`` of ``partitions``. Labels are sent together, because a whole list of keys is hashed in the time of a few.

    Most answers have the same few votes as others, so verdicts are kept until the model has learned something.
    """

    def __init__(self, topic: str, partitions: int, model: LabelModel) -> None:
        self._topic = topic
        self._partitions = partitions
        self._model = model
        self._verdicts: dict[tuple[str, bool, bool, tuple[Vote, ...]], Verdict] = {}
        self._keys: list[bytes] = []
        self._values: list[bytes] = []

    def forget(self) -> None:
        """The model has learned."""
        self._verdicts.clear()

    def judge(self, series: str, votes: tuple[Vote, ...], reacted: bool, final: bool) -> Verdict:
        key = series, reacted, final, votes
        found = self._verdicts.get(key)
        if found is None:
            opinion = self._model.judge(series, votes, reacted=reacted, settled=final)
            score = round(opinion.score, 4)
            informed = reacted or votes not in ((), (LEFT,))  # that someone left is no opinion
            found = self._verdicts[key] = Verdict(
                "neutral" if not informed else "positive" if score >= POSITIVE else "negative" if score <= NEGATIVE else "neutral",
                score,
                any(vote.voter in EXPLICIT for vote in votes),
                [round(weight, 3) for weight in opinion.weights],
                " ".join([NAMES[vote] for vote in votes]),
            )
        return found

    def publish(self, answer: Answer, effects: Effects) -> bool:
        """A new version of the label, if it says something new."""
        known, evidence = answer.known, answer.evidence()
        final, reacted = known.final, known.reaction is not None or known.repeat is not None
        if not (evidence or final or reacted):
            return False
        label, score, explicit, weights, names = self.judge(answer.series, tuple([vote for vote, _ in evidence]), reacted, final)
        before = known.published
        if before is None:
            version = 1
        elif (before.label, before.final, before.evidence) == (label, final, names) and abs(before.score - score) < MATERIAL:
            return False
        else:
            version = before.version + 1
        known.published = Published(version, label, score, final, names)
        turn = answer.turn
        key = turn.response_id.encode()
        signals = [
            outputs.Signal(kind=vote.voter, weight=weight, event_id=event_id)  # type: ignore[arg-type]
            for (vote, event_id), weight in zip(evidence, weights, strict=True)
        ]
        value = _encode(
            outputs.Label(
                time=datetime.fromtimestamp(answer.there, UTC), label_id=_label_id(key), response_id=turn.response_id, label=label,
                score=score, request_id=turn.request_id, session_id=turn.session_id, tenant=turn.tenant, feature=turn.feature or None,
                model=turn.model or None, explicit=explicit, signals=signals, final=final, version=version,
            )
        )  # fmt: skip
        self._keys.append(key)
        self._values.append(value)
        effects.count("labels", label)
        return True

    def send(self, effects: Effects) -> None:
        """What has been published since the last call, to the topic; the table's rows are the same."""
        homes = partitions_of(self._keys, self._partitions).tolist()
        effects.messages += map(Message, [self._topic] * len(homes), homes, self._keys, self._values)
        effects.row_all(LabelRow.TABLE, self._values)
        self._keys, self._values = [], []


def label_id(response_id: str) -> str:
    """The identity of a response's label."""
    return _label_id(response_id.encode())


def _label_id(response_id: bytes) -> str:
    return blake2b(response_id, digest_size=16).hexdigest()
