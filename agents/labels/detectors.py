"""From what users write and do to votes: each detector sees one kind of evidence and says what it amounts to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import exp

import numpy as np

from agents.labels.pairs import Likeness, PairModel, pair_model
from agents.labels.reliability import VOTES, Vote
from agents.labels.tone import SILENCE, ToneModel, Tones, tone_model
from agents.labels.wording import Utterance

WEAK, STRONG = 0.5, 0.85
"""Probabilities from which an inferred signal is seen, and is sure."""

ORDINARY = -3.5
"""Sum of the log-odds of complaint and declining, less those of acceptance, of an ordinary question."""
MOST_BALANCE = 6.0


def _level(probability: float) -> str | None:
    return None if probability < WEAK else "weak" if probability < STRONG else "strong"


def _logistic(x: float) -> float:
    return 1 / (1 + exp(-max(-30.0, min(30.0, x))))


class MessageReader:
    """Texts as numbers, and how alike they are. What was made of the last thousands is kept, some 1 kB each.

    ``prepare`` is for speed only: one by one, reading and comparing take many times as long and find the same.
    """

    KEPT = 8_192

    def __init__(self, model: PairModel | None = None, tones: ToneModel | None = None) -> None:
        self.model = model or pair_model()
        self._tone_model = tones or tone_model()
        self._texts: dict[str, Utterance] = {}
        self._older: dict[str, Utterance] = {}
        self._pairs: dict[tuple[str, str], Likeness] = {}
        self._tones: dict[str, Tones] = {}

    def prepare(self, said: Iterable[str], pairs: Iterable[tuple[str, str]]) -> None:
        """Hear the tone of what users said of an answer, and compare pairs of an earlier and a later
        question."""
        pairs = list(dict.fromkeys(pairs))
        said = list(dict.fromkeys(said))
        self._tones = dict(zip(said, self._tone_model.read_all(said), strict=True))
        self._pairs = dict(zip(pairs, self._compared(pairs), strict=True))

    def _compared(self, pairs: Sequence[tuple[str, str]]) -> list[Likeness]:
        place: dict[str, int] = {}
        earlier, later = (
            np.array([place.setdefault(pair[side], len(place)) for pair in pairs], np.intp) for side in (0, 1)
        )
        return self.model.compare_among(self.read_all(list(place)), earlier, later)

    def read(self, text: str) -> Utterance:
        """A message as pairs are made of it."""
        return self._texts.get(text) or self._older.get(text) or self.read_all([text])[0]

    def read_all(self, texts: Sequence[str]) -> list[Utterance]:
        """Messages as pairs are made of them; looked up if they were read not long ago."""
        found = {text: known for text in texts if (known := self._texts.get(text) or self._older.get(text))}
        unknown = [text for text in texts if text not in found]
        found |= zip(unknown, self.model.read_all(unknown), strict=True)
        if len(self._texts) + len(found) > self.KEPT:
            self._older, self._texts = self._texts, {}
        self._texts |= found
        return [found[text] for text in texts]

    def tones(self, message: str) -> Tones:
        """What a message says of the answer before it, in log-odds; looked up if it was read with
        its batch."""
        if not message:
            return SILENCE
        found = self._tones.get(message)
        return self._tone_model.read_all((message,))[0] if found is None else found

    def compare(self, earlier: str, later: str) -> Likeness:
        """How alike two messages of a user are; looked up if both were read with their batch."""
        found = self._pairs.get((earlier, later))
        return self._compared([(earlier, later)])[0] if found is None else found


class Reformulation:
    """The user asks the same again: the answer did not do (Hassan et al. 2015 for search, Park et al. 2020 for assistants).

    Evidence: what of the earlier question is still there, what was added and how far apart the words are that changed (``pairs.py``).
    A refinement or the next step of a task is alike too, but adds rare words or says so.
    """

    def __init__(self, reader: MessageReader) -> None:
        self._reader = reader

    def probability(self, earlier: str, later: str) -> float:
        """That the later message asks the earlier question again, 0 to 1; 0 if one of them is
        empty."""
        return self._reader.compare(earlier, later).same if earlier and later else 0.0

    def vote(self, probability: float) -> Vote | None:
        """The vote of a probability; None if it is too small to say anything."""
        level = _level(probability)
        return None if level is None else VOTES["reformulation"][level]


class Tone:
    """What the next message says about the answer: ``complaint`` or ``acceptance``.

    Evidence: the words and characters of the message alone, by linear models (``tone.py``), whose odds
    are divided into levels. In real chats about 30% of conversations hold such a message (Don-Yehiya et
    al. 2024). To decline what was offered, or to ask for another, is the mildest complaint.
    """

    def __init__(self, reader: MessageReader) -> None:
        self._reader = reader

    def probabilities(self, message: str) -> tuple[float, float]:
        """Of a complaint and of an acceptance."""
        tones = self._reader.tones(message)
        return _logistic(tones.complaint), _logistic(tones.acceptance)

    def votes(self, message: str) -> list[Vote]:
        """The surest of the tones: "no, thanks, that is wrong" is not all of them."""
        complaint, acceptance, declined = self._reader.tones(message)
        against = max(complaint, declined)
        if against < 0 and acceptance < 0:  # most messages
            return []
        if declined > max(complaint, acceptance):
            return [VOTES["complaint"]["declined"]]
        kind, odds = ("acceptance", acceptance) if acceptance > against else ("complaint", complaint)
        level = _level(_logistic(odds))
        return [] if level is None else [VOTES[kind][level]]

    def balance(self, message: str) -> float:
        """How much more a message sounds like a complaint than an ordinary question does (or less,
        below 0), in steps of a half, -6 to 6: it leans on a label though no signal is seen."""
        complaint, acceptance, declined = self._reader.tones(message)
        if complaint == SILENCE.complaint:
            return 0.0
        above = complaint + declined - acceptance - ORDINARY
        return round(2 * max(-MOST_BALANCE, min(MOST_BALANCE, above))) / 2


class TopicChange:
    """The next question is about something else: the user is done with this one, for better or worse.

    Evidence: no word in common, meanings apart, and the message is neither a reaction nor a next step: it
    does not begin as one and no word of it stands for something said before.
    """

    MEANING = 0.35
    WORDS = 4

    def __init__(self, reader: MessageReader) -> None:
        self._reader = reader

    def changed(self, earlier: str, later: str) -> bool:
        """Whether the later message is about something else, and no reaction to the answer."""
        if not earlier or not later:
            return False
        alike = self._reader.compare(earlier, later)
        if alike.meaning >= self.MEANING or alike.words >= 0.15:
            return False
        said = self._reader.read(later)
        if said.leans or said.onwards or len(said.words) < self.WORDS or not self._reader.read(earlier).words:
            return False
        return max(self._reader.tones(later)) <= 0


class Dwell:
    """How long the user stayed, relative to the time it takes to read the answer (Kim et al. 2014, satisfied clicks and dwell time).

    238 words a minute in English (Brysbaert 2019), six characters to a word.
    """

    CHARS_PER_SECOND = 238 * 6 / 60

    def vote(self, seconds: float | None, answer_chars: int) -> Vote | None:
        """What the time spent on an answer says, compared with the time it takes to read it; None
        if nothing."""
        if seconds is None or seconds < 0 or answer_chars <= 0:
            return None
        ratio = seconds * self.CHARS_PER_SECOND / answer_chars
        return VOTES["dwell"]["short" if ratio < 0.25 and seconds < 20 else "read" if ratio < 4 else "long"]


class Edit:
    """How much of the inserted answer the user rewrote: ``value`` is the share, 0 to 1 (edit distance, as in Ziegler et al. 2022)."""

    def vote(self, distance: float | None) -> Vote:
        """What an edit says. ``distance``: share of the answer that was changed, None if
        unknown."""
        if distance is None:
            return VOTES["edit"]["middle"]
        return VOTES["edit"]["small" if distance < 0.15 else "middle" if distance < 0.5 else "large"]


class Rating:
    """A grade from 0 to 1."""

    def vote(self, value: float | None) -> Vote | None:
        """What a rating (0 to 1) says; None if it has no value."""
        return None if value is None else VOTES["rating"]["low" if value < 0.4 else "middle" if value < 0.7 else "high"]


class Comment:
    """What a user writes about an answer, with the same model as ``Tone``."""

    def __init__(self, reader: MessageReader) -> None:
        self._tone = Tone(reader)

    def vote(self, text: str) -> Vote:
        """What a comment says by its tone: good, bad, or nothing clear."""
        complaint, acceptance = self._tone.probabilities(text)
        if max(complaint, acceptance) < WEAK:
            return VOTES["comment"]["plain"]
        return VOTES["comment"]["bad" if complaint >= acceptance else "good"]


class Detectors:
    """All of them, with one reader."""

    def __init__(self, reader: MessageReader | None = None) -> None:
        reader = reader or MessageReader()
        self.reformulation = Reformulation(reader)
        self.tone = Tone(reader)
        self.topic_change = TopicChange(reader)
        self.dwell, self.edit, self.rating = Dwell(), Edit(), Rating()
        self.comment = Comment(reader)
        self.prepare = reader.prepare

    def of_feedback(self, kind: str, value: float | None, comment: str, answer_chars: int) -> list[Vote]:
        """The votes of a feedback event; none if it says nothing, such as a rating without a value."""
        vote: Vote | None
        match kind:
            case "rating":
                vote = self.rating.vote(value)
            case "comment":
                vote = self.comment.vote(comment)
            case "edit":
                vote = self.edit.vote(value)
            case "dwell":
                vote = self.dwell.vote(value, answer_chars)
            case _:
                vote = VOTES[kind][""]
        return [] if vote is None else [vote]
