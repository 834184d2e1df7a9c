"""The topics of features, as their questions come.

A topic is a cluster of questions (agents/topics/clusters.py), with what is told of it: the terms
that name it, examples, how often it was asked. Its id follows from its feature and the response to
the question that founded it, so a replay gives the same. Learned is a period at a time, so nothing
depends on how the input was cut.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import NamedTuple

import msgspec
import numpy as np

from agents.common.embedding import embed, embedding
from agents.common.stage2 import Section
from agents.topics.clusters import Floats, closest, nearest, one_thread, taught
from agents.topics.naming import counted, together
from agents.topics.settings import TopicSettings
from agents.topics.watch import TopicHealth
from schemas.samples import Sample
from schemas.topic_rows import OTHER

EXAMPLES = 5

ThemeKey = tuple[str, str]
"""Feature, topic_id."""


class Theme(msgspec.Struct, array_like=True, gc=False):
    """One topic. ``centre``: bytes of float32; ``founded``: questions of the feature before it;
    ``told`` and ``named``: at how many
    questions it was written last, and with which terms; ``known``: it was told as new."""

    centre: bytes
    founded: int
    first: float
    last: float
    questions: int = 0
    terms: dict[str, int] = {}
    examples: list[str] = []
    told: int = 0
    named: list[str] = []
    known: bool = False
    health: TopicHealth | None = None


class Merged(NamedTuple):
    """The topic ``key`` goes on in ``heir``, of the same feature; ``theme``: as it was."""

    key: ThemeKey
    heir: str
    theme: Theme


class Themes:
    """The topics of the features of one partition. ``asked``: questions of each feature so far."""

    def __init__(self, settings: TopicSettings) -> None:
        self._settings = settings
        self.themes: Section[ThemeKey, Theme] = Section()
        self.asked: Section[str, int] = Section()
        self._ids: dict[str, list[str]] = {}
        """Of each feature its topics, by when they were founded."""
        self._merged: list[Merged] = []

    @one_thread()
    def take(self, feature: str, samples: Sequence[Sample]) -> list[str]:
        """Learn a period's questions of a feature, in order of time; the topic of each."""
        vectors = embed([sample.question for sample in samples])
        ids = self._ids.setdefault(feature, [])
        places = self._placed(feature, ids, samples, vectors)
        if places:
            self._teach(feature, ids, vectors[sorted(places)])
        for row, name in places.items():
            self._note(feature, name, samples[row])
        self.asked.put(feature, self.asked.get(feature, 0) + len(samples))
        heirs = self._merge(feature, ids, sorted(set(places.values())))
        return [self._shown(feature, heirs, places.get(row)) for row in range(len(samples))]

    def of(self, feature: str) -> Iterator[tuple[str, Theme]]:
        """The topics of a feature that have become one, by when they were founded."""
        for name in self._ids.get(feature, ()):
            theme = self.themes[feature, name]
            if theme.questions >= self._settings.least:
                yield name, theme

    def tell(self, key: ThemeKey, terms: list[str]) -> None:
        """A topic is written as it is now, named by ``terms``."""
        theme = self.themes[key]
        theme.told, theme.named = theme.questions, terms
        self.themes.touch(key)

    def take_merged(self) -> list[Merged]:
        """Those that have become one with another since the last call."""
        merged, self._merged = self._merged, []
        return merged

    def fade(self, now: float) -> list[tuple[ThemeKey, Theme]]:
        """Forget what nobody has asked for long, ``now`` being the present event time."""
        idle = [
            (key, theme)
            for key, theme in self.themes.items()
            if theme.last < now - self._settings.fade
        ]
        for key, _ in idle:
            self._drop(key)
        return idle

    # Clusters

    def _centres(self, feature: str, ids: Sequence[str]) -> Floats:
        joined = b"".join(self.themes[feature, name].centre for name in ids)
        return np.frombuffer(joined, np.float32).reshape(len(ids), embedding().dimensions)

    def _placed(
        self, feature: str, ids: list[str], samples: Sequence[Sample], vectors: Floats
    ) -> dict[int, str]:
        """The topic of each question that has words, founding those that there are not yet."""
        places: dict[int, str] = {}
        before = self.asked.get(feature, 0)
        centres = self._centres(feature, ids)
        for row in np.flatnonzero(vectors.any(axis=1)).tolist():
            if ids:
                [place], [cosine] = nearest(centres, vectors[row : row + 1])
                if cosine >= self._settings.likeness:
                    places[row] = ids[place]
                    continue
            if self._make_room(feature, set(places.values())):
                sample = samples[row]
                places[row] = self._found(feature, ids, before + row, sample, vectors[row])
                centres = self._centres(feature, ids)
        return places

    def _found(
        self, feature: str, ids: list[str], founded: int, sample: Sample, vector: Floats
    ) -> str:
        key = "\0".join((feature, sample.response_id)).encode("utf-8", "replace")
        name = blake2b(key, digest_size=8).hexdigest()
        self.themes.put((feature, name), Theme(vector.tobytes(), founded, sample.time, sample.time))
        ids.append(name)
        return name

    def _teach(self, feature: str, ids: list[str], vectors: Floats) -> None:
        centres = self._centres(feature, ids)
        weights = np.array([float(self.themes[feature, name].questions) for name in ids])
        learned = taught(centres, weights, vectors)
        for name, old, new in zip(ids, centres, learned, strict=True):
            if not np.array_equal(old, new):
                self.themes[feature, name].centre = new.astype(np.float32).tobytes()
                self.themes.touch((feature, name))

    def _merge(self, feature: str, ids: list[str], moved: list[str]) -> dict[str, str]:
        """Join those that have come close to each other; the one founded first goes on."""
        heirs: dict[str, str] = {}
        while len(ids) > 1 and (at := [ids.index(name) for name in moved if name in ids]):
            pair = closest(self._centres(feature, ids), at, self._settings.merge)
            if pair is None:
                break
            heir, gone = (ids[place] for place in sorted(pair))
            self._join(feature, gone, heir)
            heirs = {name: heir if to == gone else to for name, to in heirs.items()} | {gone: heir}
        return heirs

    def _join(self, feature: str, gone: str, heir: str) -> None:
        old, new = self.themes[feature, gone], self.themes[feature, heir]
        whole = old.questions + new.questions
        centres = np.frombuffer(old.centre + new.centre, np.float32).reshape(2, -1)
        shares = np.array([old.questions / whole, new.questions / whole], np.float32)
        new.centre = (shares @ centres).tobytes()
        new.questions = whole
        new.first, new.last = min(old.first, new.first), max(old.last, new.last)
        new.terms = together(old.terms, new.terms)
        self.themes.touch((feature, heir))
        self._merged.append(Merged((feature, gone), heir, old))
        self._drop((feature, gone))

    # Bounds

    def _make_room(self, feature: str, used: set[str]) -> bool:
        """Whether one more may be remembered. What has not become a topic gives way to it, the
        longest idle first, but for those of ``used``."""
        settings = self._settings
        full = len(self._ids[feature]) >= settings.per_feature
        if not full and len(self.themes) < settings.max_topics:
            return True
        idle = [
            (theme.last, key)
            for key, theme in self.themes.items()
            if theme.questions < settings.least
            and (not full or key[0] == feature)
            and not (key[0] == feature and key[1] in used)
        ]
        if idle:
            self._drop(min(idle)[1])
        return bool(idle)

    def _drop(self, key: ThemeKey) -> None:
        self.themes.drop(key)
        self._ids[key[0]].remove(key[1])

    # What is told

    def _note(self, feature: str, name: str, sample: Sample) -> None:
        theme = self.themes[feature, name]
        theme.questions += 1
        theme.last = sample.time
        theme.terms = dict(theme.terms)
        counted(theme.terms, sample.question)
        theme.examples = [*theme.examples[1 - EXAMPLES :], sample.response_id]
        self.themes.touch((feature, name))

    def _shown(self, feature: str, heirs: dict[str, str], name: str | None) -> str:
        if name is None:
            return OTHER
        name = heirs.get(name, name)
        theme = self.themes.get((feature, name))
        return name if theme is not None and theme.questions >= self._settings.least else OTHER

    # Persistence

    def load(
        self,
        themes: Sequence[tuple[ThemeKey, Theme]],
        gone: Sequence[ThemeKey],
        asked: Sequence[tuple[str, int]],
    ) -> None:
        """Restore what the sections returned."""
        self.themes.load(themes, gone)
        self.asked.load(asked)
        self._ids = {}
        by_age = sorted(self.themes, key=lambda key: (self.themes[key].founded, key))
        for feature, name in by_age:
            self._ids.setdefault(feature, []).append(name)
