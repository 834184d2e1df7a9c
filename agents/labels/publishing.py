"""Versions of labels, to the topic and to the table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from agents.labels.reliability import EXPLICIT, NAMES, Clues, LabelModel, Vote
from agents.labels.sessions import DECLINED, Answer, Published
from schemas import outputs
from schemas.rows import LabelRow
from streams.effects import Effects
from streams.partitioner import partitions_of

POSITIVE, NEGATIVE = 0.7, 0.35
SATISFIED, DISSATISFIED = 0.6, -0.9
"""Log-odds that must be added to what was thought before, by all that is known of an answer or, for a
negative label, by what its user did and said but for declining: that most users of a feature are
satisfied, or few, is no evidence about one, nor is it a complaint to want something else. A tone
counts there if it was heard as acceptance or complaint: of ordinary questions some sound milder."""
MATERIAL = 0.1
"""A change of the score that is worth a version although neither label nor evidence changed."""

_encode = msgspec.json.Encoder().encode


class _Subject(msgspec.Struct, gc=False):
    """The part of :class:`schemas.outputs.Label` that all versions have in common."""

    label_id: str
    response_id: str
    request_id: str
    session_id: str | None
    tenant: str
    feature: str | None
    model: str | None
    time: datetime


class LabelVerdict(NamedTuple):
    """What is to be said of an answer, all of which follows from the votes and the model. ``evidence``: names of the votes."""

    label: outputs.LabelName
    score: float
    evidence: str
    json: bytes
    """The rest of :class:`schemas.outputs.Label`, but for the events of the votes, each as JSON, and the version."""
    first: Published
    """What is known when it has been published as the first version."""


Judged = tuple[str, bool, Clues]
"""A series, whether the label is final, and what is known of the answer."""


class LabelPublisher:
    """``topic`` of ``partitions``. Labels are sent together, because a whole list of keys is hashed in the time of a few.

    Most answers have the same few votes as others, so verdicts are kept until the model has learned something.
    """

    def __init__(self, topic: str, partitions: int, model: LabelModel) -> None:
        self._topic = topic
        self._partitions = partitions
        self._model = model
        self._verdicts: dict[Judged, LabelVerdict] = {}
        self._keys: list[bytes] = []
        self._values: list[bytes] = []
        self._labels: defaultdict[str, int] = defaultdict(int)

    def forget(self) -> None:
        """The model has learned."""
        self._verdicts.clear()

    def judge(self, judged: Judged) -> LabelVerdict:
        """The verdict on votes of a series, from the model as it is now; the same votes are judged
        once."""
        found = self._verdicts.get(judged)
        if found is None:
            series, final, clues = judged
            votes = clues.votes
            opinion = self._model.judge(series, clues, settled=final)
            score = round(opinion.score, 4)
            added = sum(opinion.weights) + opinion.implied
            weighed = zip(votes, opinion.weights, strict=True)
            complained = sum(weight for vote, weight in weighed if vote != DECLINED)
            kinds = {vote.voter for vote in votes if vote != DECLINED}
            if "acceptance" not in kinds:
                added -= opinion.tone
            if "complaint" in kinds:
                complained += min(opinion.tone, 0.0)
            informed = clues.situation is not None  # that someone left is no opinion
            label: outputs.LabelName = "neutral"
            if informed and added >= SATISFIED and score >= POSITIVE:
                label = "positive"
            elif informed and complained <= DISSATISFIED and score <= NEGATIVE:
                label = "negative"
            evidence = " ".join([NAMES[vote] for vote in votes])
            found = self._verdicts[judged] = LabelVerdict(
                label, score, evidence, _template(label, score, votes, opinion.weights, final),
                Published(1, label, score, final, evidence),
            )  # fmt: skip
        return found

    def publish(self, answers: Iterable[Answer]) -> None:
        """New versions of the labels of those of which there is something new to say."""
        keys, values, labels, judge = self._keys, self._values, self._labels, self.judge
        for answer in answers:
            known, (clues, events) = answer.known, answer.clues()
            final, before = known.final, known.published
            if not (final or clues.votes or clues.reacted):
                continue
            label, score, evidence, json, published = judge((answer.series, final, clues))
            if before is not None:
                if before.label == label and before.final == final and before.evidence == evidence and abs(before.score - score) < MATERIAL:
                    continue
                published = Published(before.version + 1, label, score, final, evidence)
            known.published = published
            about = answer.about or _about(answer)
            answer.about = b"" if final else about  # hardly anything comes after
            keys.append(answer.turn.response_id.encode())
            values.append(about + json % (*map(_encode, events), published.version))
            labels[label] += 1

    def send(self, effects: Effects) -> None:
        """What has been published since the last call, to the topic; the table's rows are the same."""
        effects.message_all(self._topic, partitions_of(self._keys, self._partitions).tolist(), self._keys, self._values)
        effects.row_all(LabelRow.TABLE, self._values)
        for label, count in self._labels.items():
            effects.count("labels", label, count)
        self._keys, self._values, self._labels = [], [], defaultdict(int)


def _template(label: str, score: float, votes: Sequence[Vote], weights: Sequence[float], final: bool) -> bytes:
    """How the JSON of a version ends: a format of the events of the votes and of the version. No name of a vote has a percent sign."""
    weighed = [f'{{"kind":"{vote.voter}","weight":{round(weight, 3)},"event_id":%b}}' for vote, weight in zip(votes, weights, strict=True)]
    explicit = "true" if any(vote.voter in EXPLICIT for vote in votes) else "false"
    said = f'"label":"{label}","score":{score},"explicit":{explicit},"signals":[{",".join(weighed)}],"final":{"true" if final else "false"}'
    return f'{said},"version":%d}}'.encode()


def _about(answer: Answer) -> bytes:
    """How the JSON of all versions of a label begins."""
    turn = answer.turn
    subject = _Subject(
        label_id(turn.response_id), turn.response_id, turn.request_id, turn.session_id, turn.tenant, turn.feature or None,
        turn.model or None, datetime.fromtimestamp(answer.there, UTC),
    )  # fmt: skip
    return _encode(subject)[:-1] + b","


def label_id(response_id: str) -> str:
    """The identity of a response's label."""
    return blake2b(response_id.encode(), digest_size=16).hexdigest()
