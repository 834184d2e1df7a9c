"""The dashboard's logic without servers: parameters, statements, words, and who is let in."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from hypothesis import given
from hypothesis import strategies as st

from agents.detectors import costs, counts, joint, rates, tail
from deploy.cli.learning import learned
from deploy.dashboard.actions import ActionError, Quiet, Switch, read_action
from deploy.dashboard.learning import NEEDS, learning
from deploy.dashboard.params import Choice, ParamError, Text, Whole, read_params
from deploy.dashboard.queries import QUERIES
from deploy.dashboard.server import PAGES, STATIC, Options, application
from deploy.dashboard.windows import COVERED, COVERED_LONG, POINTS, WINDOWS, cover, step_of, window_of
from streams.settings import load_settings

WORDS = {
    language: dict(
        re.findall(r'"?([\w.]+)"?: "((?:[^"\\]|\\.)*)"', (STATIC / f"words.{language}.js").read_text("utf-8"))
    )
    for language in ("en", "pt")
}
SCRIPTS = sorted(path for path in STATIC.rglob("*.js") if path.name != "uplot.esm.js")


class TestParams:
    def test_what_is_not_given_has_its_default(self) -> None:
        params = (Text("feature"), Choice("by", ("a", "b")), Whole("limit", 1, 9, 5))
        assert read_params(params, {}) == {"feature": "", "by": "a", "limit": 5}

    @pytest.mark.parametrize(
        ("given_", "message"),
        [
            ({"by": "password"}, "by: one of a, b"),
            ({"limit": "many"}, "limit: a whole number"),
            ({"limit": "99"}, "limit: from 1 to 9"),
            ({"feature": "x" * 600}, "feature: at most 512 characters"),
            ({"sql": "DROP TABLE x"}, "sql: no such parameter"),
        ],
    )
    def test_what_makes_no_sense_is_named(self, given_: dict[str, str], message: str) -> None:
        params = (Text("feature"), Choice("by", ("a", "b")), Whole("limit", 1, 9, 5))
        with pytest.raises(ParamError, match=re.escape(message)):
            read_params(params, given_)

    def test_a_period_has_a_length(self) -> None:
        with pytest.raises(ParamError, match="before until"):
            read_params(QUERIES["totals"].params, {"since": "20", "until": "10"})


class TestQueries:
    @given(st.text(), st.text())
    def test_no_text_of_a_url_is_part_of_a_statement(self, tenant: str, feature: str) -> None:
        query = QUERIES["breakdown"]
        given_ = {"since": "0", "until": "100", "tenant": tenant[:500], "feature": feature[:500]}
        values = read_params(query.params, given_)
        same = read_params(query.params, {"since": "0", "until": "100"})
        assert query.statement(values) == query.statement(same)

    @given(st.integers(1, 10**9))
    def test_a_curve_has_points_enough_and_not_too_many(self, seconds: int) -> None:
        step = step_of(seconds)
        assert window_of(step) in WINDOWS
        assert step % window_of(step) == 0
        assert seconds / step <= POINTS or step == 604_800

    @pytest.mark.parametrize("name", QUERIES)
    def test_every_parameter_is_used_and_every_one_used_is_there(self, name: str) -> None:
        query = QUERIES[name]
        used = set(re.findall(r"\{(\w+):", query.sql))
        there = {param.name for param in query.params} - {"by", "lang"}
        chosen = set(re.findall(r"\{(\w+):", COVERED + COVERED_LONG)) | {"window", "step"}
        assert used - chosen == there - chosen
        values = {"since": 0, "until": 10} if "since" in there else {}
        assert used <= there | query.bound({**values, **dict.fromkeys(there - values.keys(), "")}).keys()


class TestCover:
    @given(st.integers(0, 10**6), st.integers(1, 10**6))
    def test_each_moment_is_in_one_window_and_the_ends_in_short_ones(self, since: int, length: int) -> None:
        until = since + length
        found = cover(since, until)
        edges = [since, found["hours_from"], found["days_from"], found["days_until"], found["hours_until"], until]
        if found["hours_from"] == until:
            edges = [since, until, until]
        elif found["days_from"] == found["days_until"]:
            edges = [since, found["hours_from"], found["hours_until"], until]
        assert edges == sorted(edges)
        assert found["hours_from"] % 3_600 == found["hours_until"] % 3_600 or found["hours_from"] == until
        assert found["hours_from"] - since < 3_600 or found["hours_from"] == until
        assert until - found["hours_until"] < 3_600

    def test_a_month_is_read_from_days(self) -> None:
        found = cover(100, 30 * 86_400 + 100)
        assert (found["days_from"], found["days_until"]) == (86_400, 30 * 86_400)
        assert (found["hours_from"], found["hours_until"]) == (3_600, 30 * 86_400)

    def test_a_minute_is_read_from_ten_seconds(self) -> None:
        found = cover(100, 160)
        assert found == {"fine": 10, **dict.fromkeys(("hours_from", "hours_until", "days_from", "days_until"), 160)}


class TestLearning:
    def test_the_needs_are_those_of_the_detectors(self) -> None:
        minutes = {need.detector: need.minutes for need in NEEDS}
        requests = {need.detector: need.requests for need in NEEDS}
        assert minutes["cost"] == costs._WARM / 2
        assert minutes["traffic"] == counts._WARM / 2
        assert minutes["joint"] == joint._WARM / 2
        assert requests["cost"] == costs._WARM * costs._SAMPLES
        assert requests["rates"] == rates._WARM
        assert requests["latency"] == tail._WARM

    def test_what_is_left_shrinks_to_nothing(self) -> None:
        row = {"feature": "f", "model": "m", "first": 0, "last": 600, "requests": 110}
        (young,) = learning([row])
        assert young["left"]["cost"] == 49  # of 600 requests, at ten a minute
        assert young["left"]["traffic"] == 49
        assert young["left"]["rates"] == 19
        (old,) = learning([{**row, "last": 86_400, "requests": 10_000}])
        assert not any(old["left"].values()) and not old["rare"]

    def test_a_series_that_hardly_ever_calls_is_too_rare_to_judge(self) -> None:
        (nightly,) = learning([{"feature": "f", "model": "m", "first": 0, "last": 12 * 3_600, "requests": 3}])
        assert {"cost", "traffic", "rates", "latency"} <= set(nightly["rare"])

    def test_the_command_line_says_it_in_a_line_for_each_series(self) -> None:
        rows = [
            {"feature": "chat", "model": "gpt-4o", "first": 0, "last": 600, "requests": 1_100},
            {"feature": "nightly", "model": "", "first": 0, "last": 14 * 3_600, "requests": 3},
            {"feature": "known", "model": "m", "first": 0, "last": 86_400, "requests": 100_000},
        ]
        assert learned(rows) == [
            "chat · gpt-4o: learning for about: cost 19 min, traffic 49 min, joint 12 h",
            "nightly: too rare to judge: cost, traffic, rates, latency",
        ]
        many = learned([{**rows[0], "feature": f"f{number}"} for number in range(25)])
        assert len(many) == 11 and many[-1] == "and 15 more series"


class TestWords:
    def test_both_languages_say_the_same_things(self) -> None:
        assert WORDS["en"].keys() == WORDS["pt"].keys()
        for key, words in WORDS["en"].items():
            assert set(re.findall(r"\{\w+\}", words)) == set(re.findall(r"\{\w+\}", WORDS["pt"][key])), key

    @pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
    def test_every_word_that_is_used_is_there(self, script: Path) -> None:
        used = re.findall(r'\bt\("([\w.]+)"', script.read_text("utf-8"))
        assert set(used) <= WORDS["en"].keys()

    def test_every_page_has_a_name(self) -> None:
        assert set(PAGES) <= WORDS["en"].keys()

    @pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
    def test_no_script_makes_elements_of_text(self, script: Path) -> None:
        text = script.read_text("utf-8")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text)
        assert not re.search(r"https?://(?!www\.w3\.org)", text), "nothing is fetched from elsewhere"


class TestActions:
    @pytest.mark.parametrize(
        ("body", "message"),
        [
            ({"scope": "global", "action": "kill", "reason": ""}, "reason"),
            ({"scope": "global", "action": "stop", "reason": "because"}, "action"),
            ({"scope": "global", "action": "kill", "reason": "because", "sql": 1}, "sql"),
            ({"scope": "global", "action": "kill"}, "reason"),
        ],
    )
    def test_a_switch_that_makes_no_sense_is_refused(self, body: dict[str, Any], message: str) -> None:
        with pytest.raises(ActionError, match=message):
            read_action(Switch, json.dumps(body).encode())

    def test_a_silence_needs_something_to_match(self) -> None:
        with pytest.raises(ActionError, match="matchers"):
            read_action(Quiet, b'{"matchers": {}, "lasts": "1h", "reason": "a test"}')


@pytest.fixture
async def client() -> Any:
    settings = load_settings(clickhouse_url="http://127.0.0.1:9", kafka_bootstrap="127.0.0.1:9")
    async with TestClient(TestServer(application(Options(settings, token="right")))) as client:
        yield client


SWITCH = {"scope": "global", "action": "kill", "reason": "a test"}


class TestGuard:
    async def test_the_page_is_for_this_machine_and_forbids_what_is_foreign(self, client: TestClient[Any, Any]) -> None:
        answer = await client.get("/costs")
        assert answer.status == 200
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"

    async def test_another_name_for_this_machine_is_turned_away(self, client: TestClient[Any, Any]) -> None:
        answer = await client.get("/api/about", headers={"Host": "attacker.example:80"})
        assert answer.status == 421

    @pytest.mark.parametrize(
        "headers",
        [
            {"Origin": "http://127.0.0.1:1"},
            {"Origin": "null"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
        ],
    )
    async def test_pages_of_others_can_not_ask(self, client: TestClient[Any, Any], headers: dict[str, str]) -> None:
        assert (await client.get("/api/about", headers=headers)).status == 403
        right = {"Authorization": "Bearer right", **headers}
        assert (await client.post("/api/switches", json=SWITCH, headers=right)).status == 403

    @pytest.mark.parametrize("authorization", [None, "Bearer wrong", "Bearer ", "right", "Basic right"])
    async def test_nothing_is_switched_without_the_token(
        self, client: TestClient[Any, Any], authorization: str | None
    ) -> None:
        headers = {} if authorization is None else {"Authorization": authorization}
        for path in ("/api/switches", "/api/silences"):
            assert (await client.post(path, json=SWITCH, headers=headers)).status == 401

    async def test_a_form_of_another_page_has_no_json(self, client: TestClient[Any, Any]) -> None:
        headers = {"Authorization": "Bearer right"}
        answer = await client.post("/api/switches", data=json.dumps(SWITCH), headers=headers)
        assert answer.status == 415

    async def test_what_is_wrong_is_said(self, client: TestClient[Any, Any]) -> None:
        headers = {"Authorization": "Bearer right"}
        answer = await client.post("/api/switches", json={**SWITCH, "scope": "typo"}, headers=headers)
        assert answer.status == 400
        assert "is not a scope" in (await answer.json())["problem"]
        assert (await client.get("/api/query/nope")).status == 400
        assert (await client.get("/api/query/totals?since=1&since=2")).status == 400

    async def test_servers_that_are_away_are_named(self, client: TestClient[Any, Any]) -> None:
        answer = await client.get("/api/query/bounds")
        assert answer.status == 503
        assert "ClickHouse" in (await answer.json())["problem"]

    async def test_beyond_this_machine_reading_needs_the_token(self) -> None:
        settings = load_settings(clickhouse_url="http://127.0.0.1:9")
        options = Options(settings, token="right", open_to_read=False)
        async with TestClient(TestServer(application(options))) as client:
            assert (await client.get("/api/about")).status == 401
            right = {"Authorization": "Bearer right"}
            assert (await client.get("/api/about", headers=right)).status == 200
