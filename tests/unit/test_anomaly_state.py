"""The agent ``anomaly`` over parts: buckets close in event time, repeats and order do not show, state comes back as it was."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import agents.anomaly.state
from agents.anomaly.monitor import Condition, SeriesMonitor
from agents.anomaly.report import severity
from agents.anomaly.settings import AnomalySettings, objectives
from agents.anomaly.state import AnomalyState
from agents.detectors.pace import SECONDS
from schemas.aggregates import OUTCOME_INDEX, Aggregate, Contribution, Series
from schemas.findings import Finding, Findings
from schemas.partials import Part, Parts
from streams.effects import Effects
from tests.unit.builders import SOURCE, FakeBatch, Record
from tests.unit.said import said

START = 1_788_739_200
SERIES = Series("acme", "chat", "prod", "openai", "gpt-4o", "a1", "live")
OK, API_ERROR = OUTCOME_INDEX["ok"], OUTCOME_INDEX["api_error"]


def aggregate(
    requests: int,
    *,
    errors: int = 0,
    pico: int = 10_000_000_000,
    unpriced: bool = False,
    latency: float = 800.0,
    tpot: float | None = None,
    flags: dict[str, int] | None = None,
) -> Aggregate:
    """``flags``: what the guards found -> in how many requests."""
    found = Aggregate()
    found.flags = {flag: (count, f"shows-{flag}") for flag, count in (flags or {}).items()}
    for at in range(requests):
        if at < errors:
            found.add(Contribution(API_ERROR, (0, 0, 0, 0, 0), None, None, None))
        else:
            found.add(Contribution(OK, (100, 50, 0, 0, 0), None if unpriced else pico, latency, latency / 4, unpriced, tpot_ms=tpot))
    return found


def message(parts: Iterable[Part], clock: float, partition: int = 0, *, rests: bool = False) -> Parts:
    return Parts(source=SOURCE, partition=partition, settled=(0, 1), clock=clock, rests=rests, parts=list(parts))


def batch(*messages: Parts | bytes) -> FakeBatch:
    values = [m if isinstance(m, bytes) else msgspec.msgpack.encode(m) for m in messages]
    records = [Record("llm.internal.partials", 0, at, 0, None, value, ()) for at, value in enumerate(values)]
    return FakeBatch("llm.internal.partials", 0, records, len(records))


def new_state(**options: Any) -> AnomalyState:
    settings = AnomalySettings(**options.pop("settings", {}))
    return AnomalyState(0, SOURCE, "llm.internal.findings", settings, options.pop("sources", 1), **options)


def read(state: AnomalyState, messages: FakeBatch, effects: Effects) -> None:
    """As a worker does."""
    state.apply(messages, effects)
    while state.proceed(effects):
        pass


def told(effects: Effects) -> list[Findings]:
    assert all(m.topic == "llm.internal.findings" and m.partition == 0 for m in effects.messages)
    return [msgspec.msgpack.decode(m.value, type=Findings) for m in effects.messages]


def findings(effects: Effects) -> list[Finding]:
    return [finding for one in told(effects) for finding in one.findings]


def window(bucket: int, at: int = 0) -> int:
    return START + bucket * SECONDS + 10 * at


def traffic(first: int, last: int, *, series: Series = SERIES, partition: int = 0, **what: Any) -> list[Parts]:
    """Buckets of 3 windows with 20 requests each; the clock goes with them."""
    return [
        message(
            [Part(0, window(bucket, at), series, aggregate(20, **what)) for at in range(SECONDS // 10)],
            float(window(bucket + 1)),
            partition,
        )
        for bucket in range(first, last)
    ]


def fed(state: AnomalyState, messages: Iterable[Parts]) -> Effects:
    effects = Effects()
    for one in messages:
        read(state, batch(one), effects)
    return effects


def test_an_outage_is_told_of_with_its_numbers_while_it_lasts_and_once_when_it_is_over() -> None:
    # Given: two hours as usual, five minutes in which most requests fail, and an hour as usual
    state = new_state()
    assert findings(fed(state, traffic(0, 240))) == []
    found = findings(fed(state, traffic(240, 250, errors=15)))
    after = findings(fed(state, traffic(250, 370)))
    # Then: both levels tell of it, soon, and say what, since when and what to do
    series = [f for f in found if f.labels == {"tenant": "acme", "feature": "chat", "model": "gpt-4o", "type": "api_error"}]
    provider = [f for f in found if f.labels == {"scope": "provider", "provider": "openai", "type": "api_error"}]
    assert series and provider
    first = series[0]
    assert first.name == "ErrorRate" and first.active and first.severity == "page" and first.generator == "anomaly"
    assert first.time <= window(240) + 120
    assert first.since == window(240) and first.window == (first.since, first.time)
    assert first.value == 0.75 and first.expected is not None and first.expected < 0.01
    assert "75% of requests fail with an API error" in said(first)["summary"] and "acme" in said(first)["summary"]
    assert said(first)["action"] and first.requests and first.requests >= 45
    # And: once inactive, then nothing
    ends = [f for f in after if f.labels == first.labels and not f.active]
    assert len(ends) == 1 and after[-1].time < window(370)


def test_a_series_under_suspicion_is_looked_at_before_its_bucket_is_over() -> None:
    state = new_state()
    fed(state, traffic(0, 240))
    # Given: a bucket with too few errors for an alarm, and then twice as many
    steps = [(bucket, at, errors) for bucket, errors in ((240, 1), (241, 2), (242, 0)) for at in range(SECONDS // 10)]
    clocked = [message([Part(0, window(b, at), SERIES, aggregate(20, errors=errors))], window(b, at) + 40.0) for b, at, errors in steps]
    # When: its parts come one by one
    effects = fed(state, clocked[:5])
    # Then: it is told of in the middle of the second bucket, what was told is the newest, and it is told once
    assert {(f.name, f.time) for f in findings(effects)} == {("ErrorRate", window(241) + 20)}
    assert told(effects)[-1].clock == window(241) + 20
    again = findings(fed(state, clocked[5:6]))
    assert {(f.active, f.time) for f in again} == {(True, window(242))}
    # And: a look teaches nothing, so a state that was never asked between knows the same
    other = new_state()
    fed(other, traffic(0, 240))
    fed(other, [message(clocked[at].parts, window(240 + at // 3) + 30.0) for at in range(6)])
    fed(other, [message([], window(242) + 30.0)])
    assert [series for piece in state.snapshot() for series in msgspec.msgpack.decode(piece)[3]] == [
        series for piece in other.snapshot() for series in msgspec.msgpack.decode(piece)[3]
    ]


def test_a_cost_explained_by_traffic_says_so() -> None:
    state = new_state()
    fed(state, traffic(0, 240))
    double = [message([Part(0, window(b, at), SERIES, aggregate(80)) for at in range(3)], float(window(b + 1))) for b in range(240, 260)]
    found = findings(fed(state, double))
    cost = [f for f in found if f.name == "CostAnomaly"]
    assert cost and all(f.detail["explained_by"] == "traffic" and f.severity == "info" for f in cost)
    assert said(cost[-1])["cause"].startswith("traffic")
    assert cost[-1].usd_per_hour is not None and cost[-1].usd_per_hour > 0
    assert any(f.name == "TrafficAnomaly" and f.labels["direction"] == "up" for f in found)


def test_a_cost_that_comes_from_a_new_prompt_names_it() -> None:
    state = new_state()
    fed(state, traffic(0, 240))
    dear = traffic(240, 260, series=SERIES._replace(prompt_sha="b2"), pico=40_000_000_000)
    cost = [f for f in findings(fed(state, dear)) if f.name == "CostAnomaly"]
    assert cost and said(cost[-1])["cause"] == "version b2 (new): 100% of the increase"
    assert cost[-1].value == pytest.approx(0.04) and cost[-1].expected == pytest.approx(0.01, rel=0.2)
    assert cost[-1].usd_per_hour == pytest.approx(0.03 * 60 * 3600 / SECONDS, rel=0.3)


@pytest.mark.parametrize(
    ("flags", "name", "labels", "severity"),
    [
        ({"json": 20, "json:invalid": 6}, "OutputInvalid", {}, "ticket"),
        ({"injection": 4}, "PromptInjection", {}, "ticket"),
        ({"pii:answer": 2, "pii:answer:CPF": 2, "pii:answer:EMAIL": 1}, "PiiLeak", {"direction": "answer"}, "ticket"),
        ({"pii:question": 8, "pii:question:CPF": 8}, "PiiLeak", {"direction": "question"}, "info"),
        ({"pii:context": 8, "pii:context:CPF": 8}, "PiiLeak", {"direction": "context"}, "info"),
    ],
)
def test_a_rise_in_what_the_guards_found_is_told_of(flags: dict[str, int], name: str, labels: dict[str, str], severity: str) -> None:
    state = new_state()
    assert findings(fed(state, traffic(0, 240, flags={"json": 20}))) == []
    assert findings(fed(state, traffic(240, 241, flags=dict.fromkeys(flags, 1)))) == []  # single ones never suffice
    found = findings(fed(state, traffic(241, 260, flags=flags)))
    assert {f.name for f in found} == {name} and {f.severity for f in found} == {severity}
    assert found[0].labels == {"tenant": "acme", "feature": "chat", "model": "gpt-4o", **labels}
    assert found[0].response_ids[0] == f"shows-{'json:invalid' if name == 'OutputInvalid' else next(iter(flags))}"
    assert said(found[0])["action"]
    if name == "PiiLeak":
        assert found[0].detail["kinds"] == {flag.rpartition(":")[2]: 3 * count for flag, count in flags.items() if flag.count(":") == 2}


def test_silence_is_told_of_although_nothing_comes() -> None:
    state = new_state()
    fed(state, traffic(0, 240))
    silent = [message([], float(window(bucket + 1))) for bucket in range(240, 260)]
    found = findings(fed(state, silent))
    dropped = [f for f in found if f.name == "TrafficAnomaly" and f.labels["direction"] == "down" and f.active and f.value == 0]
    assert dropped and dropped[-1].severity == "page"


@pytest.mark.parametrize("calls", [1, 4])
@pytest.mark.parametrize("answered", [True, False])
def test_a_few_calls_of_yesterday_are_no_silence(calls: int, answered: bool) -> None:
    # Given: a batch of 20 hours ago, and then the ordinary traffic of another feature
    state, night = new_state(), 20 * 120
    batch_job = SERIES._replace(feature="batchjob", provider="anthropic", model="claude")
    calls_of_it = aggregate(calls) if answered else Aggregate(outcomes=[calls if name == "unanswered" else 0 for name in OUTCOME_INDEX])
    old = message([Part(0, window(0), batch_job, calls_of_it)], float(window(1)))
    # When
    found = findings(fed(state, [old, *traffic(night, night + 240)]))
    # Then
    assert found == []


def test_a_drop_pages_when_hardly_anything_is_left_and_that_is_sure() -> None:
    drop = Condition("traffic_down", 4.0, 100.0, 30.0, 0.0, 500, None, "")
    settings = AnomalySettings()
    assert severity(drop, settings) == "page"
    assert severity(drop._replace(sure=False), settings) == severity(drop._replace(value=20.0), settings) == "ticket"


def test_unpriced_requests_and_slow_ones_are_told_of() -> None:
    state = new_state(objectives=objectives([{"name": "snappy", "latency_ms": 1000, "feature": "chat"}]))
    assert findings(fed(state, traffic(0, 240))) == []
    found = findings(fed(state, traffic(240, 300, unpriced=True, latency=3000.0)))
    names = {f.name for f in found if f.active}
    assert {"UnpricedModel", "LatencySLOBurn", "LatencyAnomaly"} <= names
    burns = [f for f in found if f.name == "LatencySLOBurn"]
    assert burns[0].labels["slo"] == "snappy"
    assert any(f.severity == "page" and f.value is not None and f.value > 14.4 for f in burns)
    over = findings(fed(state, traffic(300, 1500)))
    assert any(f.name == "LatencySLOBurn" and not f.active for f in over)


def test_answers_that_are_written_slowly_are_told_of_although_their_latency_is_as_usual() -> None:
    state = new_state()
    assert findings(fed(state, traffic(0, 240, tpot=12.0))) == []
    found = findings(fed(state, traffic(240, 260, tpot=40.0)))
    assert found and {(f.name, f.labels["metric"], f.severity) for f in found} == {("LatencyAnomaly", "tpot_p99", "ticket")}
    assert found[-1].value == pytest.approx(40, rel=0.05) and found[-1].expected == pytest.approx(12, rel=0.1)
    assert "of answers take 4" in said(found[-1])["summary"]


def test_a_small_change_that_no_metric_tells_of_alone_is_a_ticket_with_what_moved() -> None:
    state = new_state()
    fed(state, traffic(0, 1500))  # half a day is learned from
    found = findings(fed(state, traffic(1500, 1540, pico=13_500_000_000, tpot=9.0)))
    assert {(f.name, f.labels["metric"], f.severity) for f in found} == {("TrafficAnomaly", "joint", "ticket")}
    assert found[-1].value is not None and found[-1].threshold is not None and found[-1].value >= found[-1].threshold
    assert said(found[-1])["cause"].startswith("cost of a request higher") and said(found[-1])["cause"] in said(found[-1])["summary"]
    assert found[0].time <= window(1500) + 900 and found[-1].requests


@pytest.mark.parametrize("first", ["tpot", "typical", "typical_creep"])
def test_a_series_written_before_something_was_watched_is_watched_for_it_from_now_on(first: str) -> None:
    watched = SeriesMonitor.of(AnomalySettings(), whole=True)
    fields = msgspec.msgpack.decode(msgspec.msgpack.encode(watched))
    older = msgspec.msgpack.encode(fields[: SeriesMonitor.__struct_fields__.index(first)])
    assert msgspec.msgpack.decode(older, type=SeriesMonitor) == watched


def test_a_typical_cost_is_told_in_the_middle_of_a_bucket_and_with_what_it_costs() -> None:
    # Given: a series whose cost per request varies so much that a bucket proves nothing
    state, rng = new_state(), random.Random(1)

    def part(bucket: int, at: int, factor: int) -> Parts:
        sums = Aggregate()
        for _ in range(10):
            sums.add(Contribution(OK, (100, 50, 0, 0, 0), int(factor * 10**10 * rng.lognormvariate(0, 1.3)), 800.0, 200.0))
        return message([Part(0, window(bucket, at), SERIES, sums)], window(bucket, at) + 40.0)

    assert findings(fed(state, [part(bucket, at, 1) for bucket in range(240) for at in range(3)])) == []
    # When: it triples
    found = findings(fed(state, [part(bucket, at, 3) for bucket in range(240, 246) for at in range(3)]))
    cost = [f for f in found if f.labels.get("metric") == "cost_per_request"]
    # Then: it is told of before a bucket is over, with the mean cost as it is and was (lognormal: exp(1.3**2 / 2) times the median)
    assert cost and (cost[0].time - window(240)) % SECONDS and cost[0].time <= window(245)
    assert cost[0].value is not None and cost[0].expected is not None and cost[0].usd_per_hour is not None
    assert cost[0].expected == pytest.approx(0.0233, rel=0.3) and cost[0].value > 1.5 * cost[0].expected
    assert cost[0].usd_per_hour == pytest.approx((cost[0].value - cost[0].expected) * 30 * 120, rel=0.1)


def test_a_bucket_waits_for_every_source() -> None:
    state, effects = new_state(sources=2), Effects()
    # Given: two sources, one of which is behind
    ahead = message([Part(0, window(0), SERIES, aggregate(5))], float(window(9)))
    read(state, batch(message([], float(window(0)), partition=1), ahead), effects)
    assert told(effects) == []
    # When: it has come as far, then: the bucket closes
    read(state, batch(message([], float(window(9)), partition=1)), effects)
    (one,) = told(effects)
    assert one.agent == "anomaly" and one.clock == window(8) and one.findings == []


def test_parts_for_a_closed_bucket_are_ignored_and_older_ones_never_replace_newer_ones() -> None:
    state, effects = new_state(), Effects()
    parts = [Part(0, window(0), SERIES, aggregate(5)), Part(0, window(0), SERIES, aggregate(3))]
    read(state, batch(message(parts, float(window(0)))), effects)
    assert state.gauges()["anomaly_parts"] == 1
    read(state, batch(message([], float(window(5)))), effects)
    assert state.gauges() == {"anomaly_series": 2, "anomaly_parts": 0, "anomaly_due": 0}
    read(state, batch(message([Part(0, window(0), SERIES, aggregate(9))], float(window(5)))), effects)
    assert effects.counts["late_for_anomaly", ""] == 1 and state.gauges()["anomaly_parts"] == 0


def test_a_backfill_of_calls_that_have_no_price_is_told_of_once() -> None:
    # Given: traffic of today, and then a file of yesterday's calls of a model that nobody has a price for
    state = new_state()
    fed(state, traffic(0, 20))
    unknown = SERIES._replace(model="gpt-9")
    old = [Part(0, window(-2_880 + n), unknown, aggregate(1, unpriced=True)) for n in range(360)]
    found = [f for part in old for f in findings(fed(state, [message([part], float(window(20)))]))]
    # Then: one alert, in the time of those who read it
    assert [(f.name, f.labels["model"], f.active, f.requests) for f in found] == [("UnpricedModel", "gpt-9", True, 1)]
    assert said(found[0])["summary"].startswith("Provider openai, model gpt-9: at least 1 call without a known price")
    assert found[0].time == state._closed
    # And: not again after a restart
    restored = new_state()
    for piece in state.snapshot():
        restored.load(piece)
    assert findings(fed(restored, [message(old[-1:], float(window(20)))])) == []


def test_the_order_of_sources_and_repeats_do_not_show() -> None:
    # Given: two sources whose messages come in any order, some of them twice
    one, other = traffic(0, 260, errors=0), traffic(0, 260, partition=1)
    one[240:250] = traffic(240, 250, errors=18)
    results = []
    for seed in range(3):
        rng, queues, state, effects = random.Random(seed), [list(one), list(other)], new_state(sources=2), Effects()
        while any(queues):
            queue = rng.choice([q for q in queues if q])
            first = queue.pop(0)
            read(state, batch(first), effects)
            if rng.random() < 0.2:
                read(state, batch(first), effects)
        results.append(findings(effects))
    assert results[0] and results[0] == results[1] == results[2]


@pytest.mark.parametrize("whole", [True, False], ids=["snapshot", "changes"])
def test_a_state_that_is_loaded_goes_on_as_if_nothing_had_happened(whole: bool) -> None:
    first, pieces = new_state(), []
    for one in traffic(0, 245)[:-5] + traffic(240, 245, errors=15):
        fed(first, [one])
        if not whole and (piece := first.changes()) is not None:
            pieces.append(piece)
    second = new_state()
    for piece in list(first.snapshot()) if whole else pieces + pieces[-1:]:
        second.load(piece)
    rest = traffic(245, 260, errors=15) + traffic(260, 300)
    assert findings(fed(second, rest)) == findings(fed(first, rest)) != []
    assert list(second.snapshot()) == list(first.snapshot())


def test_what_did_not_change_is_not_written_again_and_a_series_is_small() -> None:
    state = new_state()
    fed(state, traffic(0, 480))
    assert state.changes() is not None and state.changes() is None
    assert sum(map(len, state.snapshot())) / 2 < 8_000


def test_memory_is_bounded_in_series_and_parts() -> None:
    state = new_state(settings={"max_series": 10, "max_parts": 1_000})
    for bucket in range(30):
        parts = [Part(0, window(bucket), SERIES._replace(tenant=f"t{bucket}-{n}", provider=f"p{n}"), aggregate(1)) for n in range(20)]
        fed(state, [message(parts, float(window(bucket + 1)))])
    assert state.gauges()["anomaly_series"] == 20
    effects = fed(state, [message([Part(n, window(100 + n), SERIES, aggregate(1)) for n in range(1500)], float(window(31)))])
    assert state.gauges()["anomaly_parts"] <= 1_000 and effects.counts["anomaly_closed_early", ""] > 0


def test_a_series_that_gives_way_takes_back_what_was_said_of_it() -> None:
    state = new_state(settings={"max_series": 1})
    fed(state, traffic(0, 240))
    found = findings(fed(state, traffic(240, 245, errors=15)))
    assert any(f.active and "tenant" in f.labels for f in found)
    found = findings(fed(state, traffic(245, 250, series=SERIES._replace(tenant="other", provider="azure"))))
    assert any(not f.active and f.labels.get("tenant") == "acme" and f.name == "ErrorRate" for f in found)


def test_a_long_gap_is_skipped_and_bad_input_is_a_dead_letter() -> None:
    state, effects = new_state(), Effects()
    fed(state, traffic(0, 10))
    read(state, batch(b"no msgpack", message([], float(START + 365 * 86_400))), effects)
    (letter,) = effects.letters
    assert letter.stage == "anomaly" and "partial aggregates" in letter.reason
    assert told(effects)[-1].clock == START + 365 * 86_400 - 30
    assert not state.ahead() and not state.tick(0.0, {}, effects)


def test_providers_of_several_partitions_do_not_share_an_identity() -> None:
    state = new_state(sources=2)
    fed(state, [message([], float(window(1_000)), partition=1), *traffic(0, 240)])
    found = findings(fed(state, traffic(240, 250, errors=15)))
    assert {f.labels.get("shard") for f in found if "provider" in f.labels} == {"0"}


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(quiet=st.integers(1, 40), at_a_time=st.integers(1, 300), stop=st.integers(0, 30), whole=st.booleans())
def test_a_leap_of_time_tells_what_its_buckets_one_by_one_tell(
    monkeypatch: pytest.MonkeyPatch, quiet: int, at_a_time: int, stop: int, whole: bool
) -> None:
    """Given an outage, then nothing for a while, then usual traffic: however large the pieces, and if the state is restored between two."""
    outage, later = [*traffic(0, 70), *traffic(70, 80, errors=15)], traffic(80 + quiet, 82 + quiet)
    steps = [message([], float(window(bucket + 1))) for bucket in range(80, 80 + quiet)]
    expected = findings(fed(new_state(), [*outage, *steps, *later]))
    monkeypatch.setattr(agents.anomaly.state, "AT_A_TIME", at_a_time)
    state, effects, pieces = new_state(), Effects(), list[bytes]()
    state.apply(batch(*outage), effects)
    while state.proceed(effects):
        pass
    pieces.append(state.changes() or b"")
    state.apply(batch(*later), effects)
    for _ in range(stop):
        state.proceed(effects)
    pieces = list(state.snapshot()) if whole else [*pieces, state.changes() or b""]
    state = new_state()
    for piece in pieces:
        state.load(piece)
    while state.proceed(effects):
        pass
    told_of = findings(effects)
    assert {f.name for f in expected} >= {"ErrorRate"}
    assert told_of == expected


def test_hours_that_are_over_at_once_are_judged_in_pieces_that_never_rest_before_all_is_done() -> None:
    state, effects = new_state(), Effects()
    fed(state, traffic(0, 10))
    state.apply(batch(message([], float(window(500)), rests=True)), effects)
    pieces = 1
    while state.proceed(effects):
        pieces += 1
    assert pieces > 5
    clocks = [one.clock for one in told(effects)]
    assert clocks[-1] is None and None not in clocks[:-1]
    assert clocks[:-1] == sorted(clocks[:-1], key=float)
