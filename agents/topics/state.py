"""Stage 2: sampled questions to topics, and what the calls of each add up to.

A period of 30 s is over when all sources have passed its end and ``SETTLE`` more; what comes for it
later is ignored here. Then it is taken, a feature at a time (``proceed``), its questions in order
of event time. So the result depends neither on how the input was cut nor on the order among source
partitions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from itertools import groupby
from math import inf

import msgspec

from agents.common.stage2 import Progress, Section, WatermarkState, pieces
from agents.common.watermark import Reached, Source
from agents.topics.inbox import PERIOD, SampledQuestions, period_of
from agents.topics.naming import NAMED, names_of
from agents.topics.settings import TopicSettings
from agents.topics.sums import WINDOW, SumsKey, TopicSums
from agents.topics.themes import Theme, ThemeKey, Themes
from agents.topics.watch import TopicHealth, TopicId, degraded, is_new, news, recovered
from schemas.findings import Finding
from schemas.rows import TableRow
from schemas.samples import Sample, Samples
from schemas.topic_rows import TopicCallRow, TopicRow
from streams.effects import Effects

STAGE = "topics"

SETTLE = 30.0
"""Seconds after its end until a period is taken."""
MAX_PENDING = 100_000
"""Samples of periods that are not over."""
AT_A_TIME = 100
"""Questions looked at before others may run: some 20 ms."""
_PIECE = 200


class SavedTopics(msgspec.Struct, array_like=True, gc=False, omit_defaults=True):
    """A piece of state in the changelog. ``over``: periods before it are over; ``taken``: the last
    period and feature that were taken."""

    over: int = 0
    taken: tuple[int, str] = (-1, "")
    clocks: list[Reached] = []
    samples: list[Sample] = []
    themes: list[tuple[ThemeKey, Theme]] = []
    gone: list[ThemeKey] = []
    asked: list[tuple[str, int]] = []
    sums: list[tuple[SumsKey, TopicSums]] = []
    closed: list[SumsKey] = []


_decode_samples = msgspec.msgpack.Decoder(Samples).decode
_encode_saved = msgspec.msgpack.Encoder().encode
_decode_saved = msgspec.msgpack.Decoder(SavedTopics).decode
_encode_row = msgspec.json.Encoder().encode


class TopicsState(WatermarkState[Samples]):
    """State of the agent ``topics`` for one partition (see :class:`streams.state.PartitionState`
    and ``InPieces``)."""

    def __init__(
        self,
        partition: int,
        source: str,
        *,
        findings: str,
        settings: TopicSettings,
        per_period: int,
        sources: int,
    ) -> None:
        """``source``: the Kafka cluster; ``findings``: topic; ``per_period``: answers of a series
        that are sampled per period; ``sources``: partitions of stage 1."""
        super().__init__(
            STAGE,
            "samples",
            _decode_samples,
            partition=partition,
            source=source,
            sources=sources,
            findings=findings,
        )
        self._inbox = SampledQuestions(per_period)
        self._themes = Themes(settings)
        self._sums: Section[SumsKey, TopicSums] = Section()
        self._over = 0
        self._taken: tuple[int, str] = (-1, "")

    # PartitionState

    def proceed(self, effects: Effects) -> bool:
        found: list[Finding] = []
        looked_at = 0
        while looked_at < AT_A_TIME and (place := self._due()) is not None:
            looked_at += self._take_place(place, found, effects)
        if self._due() is None:
            self._close_windows(self._over * PERIOD, found, effects)
        self._findings.tell(found, self._progress, effects)
        return self._due() is not None

    def waiting(self) -> int:
        return len(self._inbox) + len(self._sums)

    def gauges(self) -> Mapping[str, float]:
        return {"topics": len(self._themes.themes), "topic_questions_waiting": len(self._inbox)}

    # WatermarkState

    @property
    def _progress(self) -> Progress:
        due = self._due()
        reached = self._over if due is None else due[0]
        return Progress(reached * PERIOD, self._watermark.rests and due is None)

    def _source_of(self, message: Samples) -> Source:
        return Source(message.source, message.partition)

    def _take(self, message: Samples, effects: Effects) -> None:
        for sample in message.samples:
            if period_of(sample) < self._over:
                effects.count("late_for_topics")
            else:
                self._inbox.put(sample)

    def _advance(self, found: list[Finding], effects: Effects) -> None:
        clock = self._watermark.time
        if clock > -inf:
            self._over = max(self._over, int((clock - SETTLE) // PERIOD))
        first = self._inbox.first()
        if len(self._inbox) > MAX_PENDING and first is not None:
            self._over = max(self._over, first[0] + 1)

    # Periods

    def _due(self) -> tuple[int, str] | None:
        place = self._inbox.first()
        return place if place is not None and place[0] < self._over else None

    def _take_place(
        self, place: tuple[int, str], found: list[Finding], effects: Effects
    ) -> int:
        """The next feature of the earliest period that is over; returns how many were asked."""
        self._close_windows(place[0] * PERIOD, found, effects)
        period, feature = self._taken = place
        window = int(period * PERIOD) // WINDOW * WINDOW
        weighed = self._inbox.take(place)
        topics = self._themes.take(feature, [one.sample for one in weighed])
        for one, topic_id in zip(weighed, topics, strict=True):
            sample = one.sample
            key = window, feature, sample.tenant, topic_id
            sums = self._sums.get(key) or TopicSums()
            sums.add(one)
            self._sums.put(key, sums)
            row = TopicCallRow(
                time=_moment(sample.time),
                response_id=sample.response_id,
                topic_id=topic_id,
                weight=round(one.weight, 3),
                tenant=sample.tenant,
                feature=feature,
            )
            _write(row, effects)
        for gone in self._themes.take_merged():
            theme = gone.theme
            found += _last_words(gone.key, theme, place[0] * PERIOD)
            if theme.told:
                _write(_row(gone.key, theme, theme.named, merged_into=gone.heir), effects)
        self._dirty = True
        return len(weighed)

    def _close_windows(self, clock: float, found: list[Finding], effects: Effects) -> None:
        """Write what has ended by ``clock``, the event time up to which all was taken."""
        ended = sorted(key for key in self._sums if key[0] + WINDOW <= clock)
        for start, keys in groupby(ended, key=lambda key: key[0]):
            sums: dict[ThemeKey, TopicSums] = {}
            for key in keys:
                own = self._sums.drop(key)
                _write(own.row(key), effects)
                sums.setdefault((key[1], key[3]), TopicSums()).join(own)
            for feature in sorted({feature for feature, _ in sums}):
                self._name(feature, effects)
                self._watch(feature, start, sums, found)
            for faded, theme in self._themes.fade(float(start + WINDOW)):
                found += _last_words(faded, theme, float(start + WINDOW))
            self._dirty = True

    def _name(self, feature: str, effects: Effects) -> None:
        """Write the topics of a feature that were asked since they were written last."""
        known = list(self._themes.of(feature))
        named = names_of([theme.terms for _, theme in known])
        for (topic_id, theme), terms in zip(known, named, strict=True):
            if theme.told < theme.questions:
                self._themes.tell((feature, topic_id), terms)
                _write(_row((feature, topic_id), theme, terms), effects)

    def _watch(
        self, feature: str, start: int, sums: Mapping[ThemeKey, TopicSums], found: list[Finding]
    ) -> None:
        """Look for what is new and what got worse in a window of a feature."""
        end, asked = float(start + WINDOW), self._themes.asked[feature]
        for topic_id, theme in self._themes.of(feature):
            topic = TopicId(feature, topic_id, _named(topic_id, theme.named))
            own = sums.get((feature, topic_id))
            health = theme.health or TopicHealth.unknown()
            if own is None and not health.since:
                continue
            theme.health = health
            self._themes.themes.touch((feature, topic_id))
            if not theme.known and is_new(theme.founded, asked, theme.questions):
                theme.known = True
                found += news(topic, theme.questions, theme.first, theme.examples, end)
            calls = own or TopicSums()
            for metric, score in health.update(float(start), calls):
                since = health.since.get(metric)
                if since is None:
                    found.append(recovered(feature, topic_id, metric, end))
                else:
                    examples = theme.examples
                    found.append(
                        degraded(topic, metric, score, since, calls.calls, examples, end)
                    )

    # Persistence

    def changes(self) -> bytes | None:
        if not self._dirty:
            return None
        self._dirty = False
        themes, gone = self._themes.themes.take_changes()
        asked, _ = self._themes.asked.take_changes()
        saved = SavedTopics(
            self._over,
            self._taken,
            self._watermark.take_changes(),
            self._inbox.take_changes(),
            themes,
            gone,
            asked,
            *self._sums.take_changes(),
        )
        return _encode_saved(saved)

    def snapshot(self) -> Iterator[bytes]:
        saved = partial(SavedTopics, self._over, self._taken)
        yield _encode_saved(saved(clocks=self._watermark.all()))
        sections = pieces(
            saved,
            _PIECE,
            samples=self._inbox.all(),
            themes=sorted(self._themes.themes.items(), key=lambda item: item[0]),
            asked=sorted(self._themes.asked.items()),
            sums=sorted(self._sums.items(), key=lambda item: item[0]),
        )
        yield from map(_encode_saved, sections)

    def load(self, piece: bytes) -> None:
        saved = _decode_saved(piece)
        self._over = max(self._over, saved.over)
        self._taken = max(self._taken, saved.taken)
        self._watermark.load(saved.clocks)
        self._inbox.load(saved.samples)
        self._inbox.drop(self._taken)
        self._themes.load(saved.themes, saved.gone, saved.asked)
        self._sums.load(saved.sums, saved.closed)
        self._findings.told = Progress(self._progress.clock, False)


def _row(key: ThemeKey, theme: Theme, terms: list[str], merged_into: str = "") -> TopicRow:
    return TopicRow(
        topic_id=key[1],
        version=theme.questions + bool(merged_into),
        name=_named(key[1], terms),
        terms=terms,
        first_seen=_moment(theme.first),
        last_seen=_moment(theme.last),
        feature=key[0],
        questions=theme.questions,
        merged_into=merged_into,
        example_response_ids=theme.examples,
    )


def _named(topic_id: str, terms: list[str]) -> str:
    return " · ".join(terms[:NAMED]) or topic_id


def _last_words(key: ThemeKey, theme: Theme, end: float) -> list[Finding]:
    """A topic that is no more is told as degraded no more."""
    since = theme.health.since if theme.health is not None else {}
    return [recovered(*key, metric, end) for metric in sorted(since)]


def _write(row: TableRow, effects: Effects) -> None:
    effects.row(row.TABLE, _encode_row(row))


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(max(seconds, 0.0), UTC)
