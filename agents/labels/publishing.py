"""Versions of labels, to the topic and to the table."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import blake2b

import msgspec

from agents.labels.reliability import LabelModel
from agents.labels.sessions import LEFT, Answer, Published
from schemas import outputs
from schemas.rows import LabelRow
from streams.effects import Effects, Message
from streams.partitioner import partitions_of

POSITIVE, NEGATIVE = 0.7, 0.35
MATERIAL = 0.1
"""A change of the score that is worth a version although neither label nor evidence changed."""

_encode = msgspec.json.Encoder().encode


class Publisher:
    """``topic`` of ``partitions``. Labels are sent together, because a whole list of keys is hashed in the time of a few."""

    def __init__(self, topic: str, partitions: int, model: LabelModel) -> None:
        self._topic = topic
        self._partitions = partitions
        self._model = model
        self._keys: list[bytes] = []
        self._values: list[bytes] = []

    def publish(self, answer: Answer, effects: Effects) -> bool:
        """A new version of the label, if it says something new."""
        known, evidence = answer.known, answer.evidence()
        if not evidence and not known.final and not answer.reacted:
            return False
        votes = [vote for vote, _ in evidence]
        opinion = self._model.judge(answer.series, votes, reacted=answer.reacted, settled=known.final)
        score = round(opinion.score, 4)
        informed = answer.reacted or votes not in ([], [LEFT])  # that someone left is no opinion
        label: outputs.LabelName = (
            "neutral" if not informed else "positive" if score >= POSITIVE else "negative" if score <= NEGATIVE else "neutral"
        )
        explicit = answer.explicit
        before = known.published
        if (
            before is not None
            and (before.label, before.explicit, before.final, before.evidence) == (label, explicit, known.final, votes)
            and abs(before.score - score) < MATERIAL
        ):
            return False
        version = 1 if before is None else before.version + 1
        known.published = Published(version, label, score, explicit, known.final, votes)
        turn, when = answer.turn, datetime.fromtimestamp(answer.there, UTC)
        signals = [
            outputs.Signal(kind=vote.voter, weight=round(weight, 3), event_id=event_id)  # type: ignore[arg-type]
            for (vote, event_id), weight in zip(evidence, opinion.weights, strict=True)
        ]
        found = outputs.Label(
            label_id=label_id(turn.response_id), response_id=turn.response_id, time=when, label=label, score=score,
            request_id=turn.request_id, session_id=turn.session_id, tenant=turn.tenant, feature=turn.feature or None, explicit=explicit,
            signals=signals, final=known.final, version=version,
        )  # fmt: skip
        row = LabelRow(
            time=when, label_id=found.label_id, response_id=turn.response_id, version=version, label=label, score=score,
            request_id=turn.request_id, session_id=turn.session_id or "", tenant=turn.tenant, feature=turn.feature, model=turn.model,
            explicit=explicit, signals=signals, final=known.final,
        )  # fmt: skip
        self._keys.append(turn.response_id.encode())
        self._values.append(_encode(found))
        effects.row(LabelRow.TABLE, _encode(row))
        effects.count("labels", label)
        return True

    def send(self, effects: Effects) -> None:
        """What has been published since the last call, to the topic."""
        homes = partitions_of(self._keys, self._partitions).tolist()
        effects.messages += map(Message, [self._topic] * len(homes), homes, self._keys, self._values)
        self._keys, self._values = [], []


def label_id(response_id: str) -> str:
    """The identity of a response's label."""
    return blake2b(response_id.encode(), digest_size=16).hexdigest()
