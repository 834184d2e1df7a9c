"""Drift of one series: found when there is one, with its cause, and not when there is none."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.detectors.e_values import CYCLE, e_bh, e_value
from agents.detectors.shares import SHIFTS, change_evidence
from agents.detectors.two_sample import Bools, binary_test, category_test, kernel_test, location_test, rank_test, topics_test
from agents.drift.metrics import STYLE_SHARE, STYLE_WEIGHTS, WEIGHTS, scaled
from agents.drift.monitor import SCALES, Drift, DriftMonitor
from agents.drift.quality import FALLS, Quality
from agents.drift.rows import ROW
from agents.drift.series import BLOCK, REFERENCE, WINDOW
from agents.drift.text import (
    GRAMS,
    MAX_ANSWER,
    QUESTION,
    SHAPES,
    STYLE,
    STYLE_NAMES,
    WORDS,
    Floats,
    answer_grams,
    answer_style,
    language,
    packed,
    question_vectors,
    question_words,
    unpacked,
)  # fmt: skip
from schemas.samples import Sample
from tests.unit.drift_data import LISTS, START, sample

NEEDED = 50.0


def run(answers: list[Sample], monitor: DriftMonitor | None = None) -> tuple[DriftMonitor, int | None]:
    """A series over these answers; how many it took until a drift was seen."""
    monitor = monitor or DriftMonitor()
    for number, answer in enumerate(answers, 1):
        monitor.add(answer, NEEDED)
        if monitor.drift is None and monitor.evidence >= NEEDED:
            monitor.declare()
            return monitor, number
    return monitor, None


def answers(first: int, number: int, rng: random.Random, **fields: object) -> list[Sample]:
    return [sample(n, rng, **fields) for n in range(first, first + number)]  # type: ignore[arg-type]


def changed(rng: random.Random, after: dict[str, object], before: dict[str, object] | None = None) -> list[Sample]:
    """200 answers, then 200 that differ."""
    return [*answers(0, 200, rng, **(before or {})), *answers(200, 200, rng, **after)]


def found(stream: list[Sample]) -> Drift:
    monitor, _ = run(stream)
    assert monitor.drift is not None
    return monitor.drift


class TestDetection:
    @pytest.mark.parametrize("lang", ["en", "pt"])
    def test_other_answers_to_the_same_questions_are_the_providers_silent_change(self, lang: str) -> None:
        monitor, number = run(changed(random.Random(1), {"lang": lang, "style": LISTS}, {"lang": lang}))
        drift = monitor.drift
        assert drift is not None and number is not None
        assert number <= 250
        assert (drift.metric, drift.cause) == ("answer_text", "silent_provider_change")
        assert 190 <= drift.seq <= 210
        assert set(drift.after) <= {f"a{n}" for n in range(200, 250)} and drift.after
        assert set(drift.before) <= {f"a{n}" for n in range(200)} and drift.before
        assert "bullets" in drift.terms

    def test_nothing_changes(self) -> None:
        monitor, number = run(answers(0, 1000, random.Random(2)))
        assert number is None
        assert monitor.watched

    def test_refusals_become_more(self) -> None:
        rng = random.Random(3)
        stream = [sample(n, rng, outcome="refusal" if rng.random() < (0.03 if n < 200 else 0.4) else "ok") for n in range(400)]
        drift = found(stream)
        assert drift.metric == "refusal"
        assert drift.was is not None and drift.now is not None and drift.was < 0.1 < drift.now
        assert drift.cause == "silent_provider_change"

    @pytest.mark.parametrize("text", ["Your order {} is on its way.", "I cannot help with that."])
    def test_texts_of_one_template_and_numbers_that_hardly_vary_are_no_drift(self, text: str) -> None:
        rng = random.Random(8)
        asked = "please explain how the order process works for customers in general " * 6
        stream = [
            sample(n, rng, answer=text.format(n), question=f"{asked} {n}", output_tokens=500 + (n >= 300) * 2, latency_ms=800.0 + 0.01 * n)
            for n in range(600)
        ]
        monitor, number = run(stream)
        assert number is None and monitor.watched

    def test_a_template_that_is_replaced_by_another_one_is_a_drift(self) -> None:
        rng = random.Random(8)
        texts = ("Your order {} is on its way.", "We cannot find the number {} in our books, please call us.")
        assert found([sample(n, rng, answer=texts[n >= 200].format(n)) for n in range(400)]).metric == "answer_text"

    def test_a_long_session_is_not_many_answers(self) -> None:
        """Sessions of twenty answers about one subject each, the subject being theirs alone."""
        rng = random.Random(4)
        subjects = [rng.choice([1, -1]) for _ in range(100)]
        stream = [sample(n, rng, session=f"s{n // 4}", topics=subjects[n // 4 % 100]) for n in range(800)]
        assert run(stream)[1] is None


CHANGES: list[tuple[str, dict[str, object], dict[str, object]]] = [
    ("prompt_change", {}, {"style": LISTS, "prompt_sha": "p2"}),
    ("model_change", {}, {"style": LISTS, "served": "gpt-4o-2026-09-01"}),
    ("index_change", {}, {"style": LISTS, "index_version": "i2"}),
    ("silent_provider_change", {}, {"style": LISTS, "fingerprint": "fp_2"}),
    ("input_drift", {"topics": 3}, {"topics": -2}),
    ("input_drift", {"lang": "en"}, {"lang": "pt"}),
]


class TestCause:
    @pytest.mark.parametrize(("cause", "before", "after"), CHANGES)
    def test_what_changed_at_the_same_time(self, cause: str, before: dict[str, object], after: dict[str, object]) -> None:
        assert found(changed(random.Random(5), after, before)).cause == cause

    def test_slower_answers_do_not_hide_that_they_are_others(self) -> None:
        rng = random.Random(12)
        fast = [sample(n, rng, latency_ms=rng.lognormvariate(6, 0.2)) for n in range(200)]
        stream = [*fast, *(sample(n, rng, style=LISTS, latency_ms=rng.lognormvariate(8, 0.2)) for n in range(200, 400))]
        drift = found(stream)
        assert (drift.metric, drift.cause) == ("answer_text", "silent_provider_change") and "latency_ms" in drift.moved

    def test_calls_that_fail_do_not_say_that_the_provider_changed_the_model(self) -> None:
        rng = random.Random(13)
        stream = [sample(n, rng, outcome="api_error" if n >= 200 and rng.random() < 0.6 else "ok") for n in range(400)]
        drift = found(stream)
        assert (drift.metric, drift.cause) == ("failed", "unknown")

    def test_another_mixture_of_tenants_that_are_each_as_before(self) -> None:
        rng = random.Random(6)

        def one(n: int, share: float) -> Sample:
            brazil = rng.random() < share
            return sample(n, rng, tenant="loja" if brazil else "shop", lang="pt" if brazil else "en")

        drift = found([*(one(n, 0.2) for n in range(200)), *(one(n, 0.75) for n in range(200, 400))])
        assert drift.cause == "traffic_mix"

    def test_a_prompt_that_changed_long_before_is_not_the_cause(self) -> None:
        rng = random.Random(7)
        stream = [*answers(0, 700, rng, spacing=180.0), *answers(700, 150, rng, spacing=180.0, prompt_sha="p2")]
        monitor, number = run(stream)
        assert number is None
        assert monitor.series.frozen
        monitor, number = run(answers(850, 60, rng, spacing=180.0, prompt_sha="p2", style=LISTS), monitor)
        assert monitor.drift is not None
        assert monitor.drift.cause == "silent_provider_change"

    def test_two_causes_at_once_are_both_named(self) -> None:
        drift = found(changed(random.Random(8), {"style": LISTS, "prompt_sha": "p2", "topics": -2}, {"topics": 3}))
        assert {"prompt_change"} <= {drift.cause, *(candidate.cause for candidate in drift.candidates)}


class TestReference:
    def test_a_drift_stays_until_it_is_accepted_and_the_new_normal_is_the_reference(self) -> None:
        rng = random.Random(9)
        monitor, _ = run(changed(rng, {"style": LISTS}))
        run(answers(400, 400, rng, style=LISTS), monitor)
        assert monitor.drift is not None
        monitor.renew()
        assert monitor.drift is None and monitor.series.kept.version == 2
        assert run(answers(800, 600, rng, style=LISTS), monitor)[1] is None
        assert run(answers(1400, 200, rng), monitor)[1] is not None

    def test_a_drift_ceases_when_answers_are_as_before(self) -> None:
        rng = random.Random(10)
        monitor, _ = run(changed(rng, {"style": LISTS}))
        run(answers(400, 800, rng), monitor)
        assert monitor.drift is None

    def test_what_returns_every_day_is_no_drift(self) -> None:
        """Five days; by day two kinds of tenants, at night mostly one of them."""
        rng = random.Random(11)

        def one(n: int) -> Sample:
            night = np.cos((n * 300.0) / 86_400 * 2 * np.pi)
            return sample(n, rng, spacing=300.0, lang="pt" if rng.random() < 0.5 + 0.3 * night else "en")

        assert run([one(n) for n in range(1_440)])[1] is None

    def test_what_returns_every_weekend_is_no_drift_and_what_comes_later_is(self) -> None:
        """Two weeks from a Monday; at weekends mostly other tenants, who write in another language. Then they come on a working day."""
        rng = random.Random(18)

        def one(n: int, weekend: bool) -> Sample:
            return sample(n, rng, spacing=1_000.0, lang="pt" if rng.random() < (0.8 if weekend else 0.2) else "en")

        days = [datetime.fromtimestamp(START + n * 1_000.0, UTC).weekday() for n in range(1_300)]
        assert days[0] == 0
        monitor, number = run([one(n, days[n] >= 5) for n in range(1_250)])
        assert number is None
        assert run([one(n, True) for n in range(1_250, 1_300)], monitor)[1] is not None

    def test_a_window_that_is_not_full_is_looked_at_as_far_as_it_goes(self) -> None:
        monitor, sizes = DriftMonitor(), {}
        for number, answer in enumerate(answers(0, 400, random.Random(3)), 1):
            if looks := monitor.add(answer, NEEDED):
                sizes[number] = [look.size for look in looks]
        assert [sizes[number] for number in (125, 150, 175, 200, 400)] == [[50], [50, 75], [50], [50, 100, 125], [50, 100, 200]]

    def test_as_much_is_staked_on_a_young_series_as_on_any(self) -> None:
        monitor = DriftMonitor()
        for answer in answers(0, 75 + 75, random.Random(3)):
            monitor.add(answer, NEEDED)
        young = monitor._due(1)
        assert sum(young.values()) == pytest.approx(sum(every * share for every, share in SCALES.values()))
        assert young[3 * BLOCK] > young[min(SCALES)]

    def test_what_is_kept_is_bounded(self) -> None:
        monitor, _ = run(answers(0, 1000, random.Random(12), spacing=180.0))
        series = monitor.series
        assert len(series.reference) <= REFERENCE and len(series.window) <= WINDOW
        assert series.frozen
        assert len(series.kept.after) <= 40

    def test_a_new_model_of_a_feature_is_compared_with_the_former_one(self) -> None:
        rng = random.Random(13)
        former, _ = run(answers(0, 400, rng))
        new = DriftMonitor()
        new.series.inherit(former.series, "gpt-4o")
        monitor, number = run(answers(400, 100, rng, served="mini", model="mini", style=LISTS), new)
        assert number is not None and monitor.drift is not None
        assert monitor.drift.cause == "model_change"


class TestQuality:
    def test_scores_that_fall_are_seen_within_fifty(self) -> None:
        rng = random.Random(14)
        quality, seen = Quality(), None
        for n in range(400):
            quality.add(float(n), float(rng.random() < (0.84 if n < 200 else 0.5)), f"a{n}", NEEDED)
            if quality.drop is None and quality.evidence >= NEEDED:
                drop, seen = quality.declare(), n
        assert seen is not None and 200 <= seen < 250
        assert drop.was > 0.75 > 0.65 > drop.now
        assert all(int(response_id[1:]) >= 190 for response_id in drop.response_ids)

    @pytest.mark.parametrize("after", [0.84, 0.95])
    def test_scores_that_stay_or_rise_are_no_drop(self, after: float) -> None:
        rng = random.Random(15)
        quality = Quality()
        for n in range(2000):
            quality.add(float(n), float(rng.random() < (0.84 if n < 200 else after)), f"a{n}", NEEDED)
            assert quality.evidence < NEEDED

    def test_a_fall_that_is_over_is_not_told_of_again(self) -> None:
        rng = random.Random(16)
        quality, drops = Quality(), []
        for n in range(1_200):
            quality.add(float(n), float(rng.random() < (0.4 if 200 <= n < 300 else 0.84)), f"a{n}", NEEDED)
            if quality.drop is None and quality.evidence >= NEEDED:
                quality.declare()
                drops.append(n)
        assert len(drops) == 1 and 200 <= drops[0] < 250
        assert quality.drop is None


def _p(test: Callable[[np.random.Generator], float], number: int = 400) -> np.ndarray:  # type: ignore[type-arg]
    rng = np.random.default_rng(16)
    return np.array([test(rng) for _ in range(number)])


NEW = np.arange(120) >= 80


def _clustered(rng: np.random.Generator) -> Floats:
    """Questions about ten topics, of the new ones a half about five others."""
    topic = np.where(NEW & (rng.random(120) < 0.5), rng.integers(10, 15, 120), rng.integers(0, 10, 120))
    words = np.eye(20)[topic] * 2.0
    return np.hstack([words, rng.standard_normal((120, 20)) / 4])


class TestTwoSample:
    """Under "nothing changed" a p-value is at most p with probability p."""

    @pytest.mark.parametrize(
        "test",
        [
            lambda rng: kernel_test(rng.standard_normal((120, 20)) ** 3, NEW).p,
            lambda rng: topics_test(rng.poisson(0.1, (120, 40)).astype(float), NEW).p,
            lambda rng: rank_test(rng.lognormal(size=120), NEW).p,
            lambda rng: rank_test(np.floor(rng.lognormal(size=120)), NEW).p,
            lambda rng: location_test(np.round(rng.random(120), 1), NEW).p,
            lambda rng: binary_test(rng.random(120) < 0.1, NEW).p,
            lambda rng: category_test(rng.integers(0, 5, 120), NEW).p,
        ],
    )
    def test_p_values_hold(self, test: Callable[[np.random.Generator], float]) -> None:
        p = _p(test)
        for level in (0.01, 0.05, 0.2):
            assert (p <= level).mean() <= level + 3 * np.sqrt(level / len(p))

    @pytest.mark.parametrize(
        "test",
        [
            lambda rng: kernel_test(rng.standard_normal((120, 20)) + NEW[:, None] * 0.6, NEW).p,
            lambda rng: topics_test(_clustered(rng), NEW).p,
            lambda rng: rank_test(rng.lognormal(size=120) * (1 + 2 * NEW), NEW).p,
            lambda rng: rank_test(rng.standard_normal(120) * (1 + 3 * NEW), NEW).p,
            lambda rng: location_test(rng.standard_normal(120) - 1.2 * NEW, NEW).p,
            lambda rng: binary_test(rng.random(120) < 0.1 + 0.5 * NEW, NEW).p,
        ],
    )
    def test_differences_are_seen(self, test: Callable[[np.random.Generator], float]) -> None:
        assert np.median(_p(test, 50)) < 1e-3

    def test_values_that_resemble_their_neighbours_do_not_count_as_independent(self) -> None:
        def slow(rng: np.random.Generator) -> float:
            steps, value = rng.standard_normal(120), 0.0
            values = [value := 0.8 * value + step for step in steps]
            return rank_test(np.array(values), NEW).p

        assert (_p(slow) < 1e-3).mean() < 0.05  # taken as independent it is a third

    def test_what_they_return_can_be_written(self) -> None:
        runs = np.arange(120) % 40 >= 20  # neighbours alike, so that tests are tempered
        shares = [binary_test(runs, NEW), category_test(runs.astype(np.int64), NEW)]
        found = [*shares, rank_test(runs + 0.0, NEW), location_test(runs + 0.0, NEW)]
        assert all(type(value) is float for tested in found for value in tested)

    @given(st.floats(1e-10, 1.0))
    def test_e_values_never_exceed_one_over_p(self, p: float) -> None:
        assert 0 <= e_value(p, NEEDED) <= 1 / p

    def test_the_expectation_of_an_e_value_is_one(self) -> None:
        grid = np.exp(np.linspace(np.log(1e-14), 0.0, 200_001))
        values = np.array([e_value(p, NEEDED) for p in grid])
        assert np.sum((values[1:] + values[:-1]) / 2 * np.diff(grid)) == pytest.approx(1.0, abs=0.01)

    def test_more_series_need_more_evidence_unless_many_show_it(self) -> None:
        assert e_bh({"a": 60.0}, 1, 0.02) == ["a"]
        assert e_bh({"a": 60.0}, 2, 0.02) == []
        assert e_bh({"a": 60.0, "b": 55.0}, 2, 0.02) == ["a", "b"]


class TestShares:
    """Evidence that a share has changed, asked after every answer."""

    @staticmethod
    def of(reference: Bools, present: Bools, least: int = 25) -> float:
        return change_evidence(reference, present, np.arange(len(present) - least + 1), learning=False)

    @pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.8])
    def test_while_nothing_changes_it_is_on_average_at_most_one_per_beginning(self, share: float) -> None:
        rng = np.random.default_rng(19)
        found = [self.of(rng.random(150) < share, rng.random(150) < share) / 126 for _ in range(2_000)]
        assert np.mean(found) <= 1.0

    @pytest.mark.parametrize(("before", "after", "most"), [(0.79, 0.95, 130), (0.84, 0.51, 60), (0.03, 0.2, 90), (0.01, 1.0, 25)])
    def test_a_change_is_found_soon(self, before: float, after: float, most: int) -> None:
        """With the share of the evidence that refusals have. Who knows both shares beforehand needs 57, 22, 26 and 3 answers."""
        rng = np.random.default_rng(20)
        needed = NEEDED * CYCLE / WEIGHTS["refusal"]
        delays = []
        for _ in range(40):
            reference, stream = rng.random(200) < before, np.concatenate([rng.random(50) < before, rng.random(150) < after])
            seen = (n for n in range(1, 151) if self.of(reference, stream[: 50 + n]) >= needed)
            delays.append(next(seen, 151))
        assert np.median(delays) <= most

    def test_no_more_is_staked_than_there_is(self) -> None:
        assert sum(SHIFTS.values()) == pytest.approx(1.0) and sum(FALLS.values()) == pytest.approx(1.0)
        assert sum(WEIGHTS.values()) == pytest.approx(1.0)

    def test_a_flag_that_varies_alone_has_the_part_of_all_flags(self) -> None:
        refused = ["refusal" if n >= 180 or n % 10 == 0 else "ok" for n in range(215)]

        def evidence(failing: bool) -> float:
            rng, monitor = random.Random(22), DriftMonitor()
            for n, outcome in enumerate(refused):
                monitor.add(sample(n, rng, outcome=outcome, json_valid=None if not failing else n % 7 > 0), 1e9)
            return monitor.status.by_metric["refusal"]

        flags = WEIGHTS["refusal"] + WEIGHTS["output_invalid"]
        assert evidence(failing=True) == pytest.approx(evidence(failing=False) * WEIGHTS["refusal"] / flags)
        assert evidence(failing=False) > 0

    def test_what_lasts_less_than_a_block_is_an_incident_and_no_drift(self) -> None:
        rng = random.Random(21)
        stream = [sample(n, rng, outcome="api_error" if 300 <= n < 320 else "ok") for n in range(400)]
        assert run(stream)[1] is None


class TestText:
    @settings(max_examples=50)
    @given(st.text(max_size=300))
    def test_any_text_has_vectors_of_fixed_size(self, text: str) -> None:
        grams = answer_grams(text)
        assert (unpacked(packed(grams)[None])[0] == grams).all() and grams.shape == (GRAMS + SHAPES,)
        assert answer_style(text).shape == (STYLE,)
        words = question_words(text)
        assert words.shape == (WORDS,)
        vectors = question_vectors(words[None])
        assert vectors.shape == (1, QUESTION)
        # Two words may fall on one place with opposite signs, and be all there is.
        assert np.isclose(np.linalg.norm(vectors), 1.0) if vectors.any() else np.count_nonzero(words) % 2 == 0
        assert language(text) in ("en", "pt", "es", "other")

    @pytest.mark.parametrize("text", ["Where is the invoice of my order?", "nota fiscal", "ação"])
    def test_a_question_with_words_has_a_vector_of_length_one(self, text: str) -> None:
        assert np.linalg.norm(question_vectors(question_words(text)[None])) == pytest.approx(1.0)

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("Where is the invoice of my order?", "en"),
            ("Onde está a nota do meu pedido?", "pt"),
            ("¿Dónde está la factura de mi pedido?", "es"),
        ],
    )
    def test_language(self, text: str, expected: str) -> None:
        assert language(text) == expected

    @pytest.mark.parametrize(
        ("one", "other", "feature"),
        [
            ("Your order is here", "Your order is here.", "ends_in_mark"),
            ("Your order:", "Your order.", "ends_in_colon"),
            ("**Order**: here.", "Order: here.", "bold"),
            ("**Order**: here.", "**Order** here.", "bold_labels"),
            ("In short:\nit is here.", "In short,\nit is here.", "opening_colon"),
            ("It is here. \nSee it.", "It is here.\nSee it.", "trailing_spaces"),
        ],
    )
    def test_layout_is_style(self, one: str, other: str, feature: str) -> None:
        at = STYLE_NAMES.index(feature)
        assert answer_style(one)[at] != answer_style(other)[at]

    def test_each_feature_of_style_has_a_weight(self) -> None:
        assert len(STYLE_WEIGHTS) == STYLE == len(STYLE_NAMES)
        assert (STYLE_WEIGHTS**2).mean() == pytest.approx(1.0, abs=0.05)

    @pytest.mark.parametrize("varying", [0, 1, STYLE])
    def test_style_counts_as_much_however_few_of_its_features_vary(self, varying: int) -> None:
        vectors = np.zeros((60, GRAMS + SHAPES + STYLE), np.float32)
        vectors[:, GRAMS + SHAPES :][:, :varying] = np.random.default_rng(1).normal(size=(60, varying)) ** 3
        variance = float(scaled(vectors).var(axis=0).sum())
        assert variance == pytest.approx(STYLE_SHARE if varying else 0.0, abs=1e-4)

    def test_where_an_answer_is_cut_off_is_not_how_it_ends(self) -> None:
        at = [STYLE_NAMES.index(name) for name in ("ends_in_mark", "ends_in_colon", "ends_in_word")]
        endings = [answer_style("x" * (MAX_ANSWER - 1) + end)[at].tolist() for end in ".:x"]
        assert endings[0] == endings[1] == endings[2]

    def test_a_row_is_small(self) -> None:
        assert ROW.itemsize <= 360
