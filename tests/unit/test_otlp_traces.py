"""Spans of a trace come children first, late, split, twice, or never completely: each call counts once, and by what was known."""

from __future__ import annotations

import json

from tests.unit.telemetry import LOGS, SPANS, Telemetry, agent, chat, message, span, span_id, tool, trace_id


def key(name: str, trace: int | str = 1) -> str:
    return f"{trace_id(trace)}-{span_id(f'{name}{trace}')}"


class TestATraceInPieces:
    def test_children_come_first_and_in_other_partitions(self) -> None:
        # Given a call and a tool that end before their agent, which names the session
        world = Telemetry()
        world.write([chat("call", "agent", at=1)], partition=0, at=2)
        world.write([tool("search", "agent", at=2)], partition=1, at=3)
        world.write([agent("agent", at=0, took=5, session__id="s-1")], partition=2, at=6)
        # When nothing more comes
        world.settle()
        # Then the call is one request and one response of that session, and the others are steps
        [request], [response] = world.requests().values(), world.responses().values()
        assert (request["request_id"], request["session_id"], request["feature"]) == (key("call"), "s-1", "shop")
        assert (response["request_id"], response["usage"]["input_tokens"], response["status"]) == (key("call"), 100, "ok")
        kinds = {row["span_id"]: (row["kind"], row.get("parent_id", "")) for row in world.rows["steps"].values()}
        assert kinds == {span_id("search1"): ("tool", span_id("agent1")), span_id("agent1"): ("agent", "")}
        assert request["parent_span_id"] == span_id("agent1")

    def test_a_trace_that_never_ends_is_told_without_its_root(self) -> None:
        world = Telemetry()
        world.write([chat("call", "agent")], at=2)
        world.settle()
        assert world.calls("call") == ["call"]
        assert next(iter(world.requests().values()))["parent_span_id"] == span_id("agent1")

    def test_a_call_of_a_long_trace_does_not_wait_for_its_end(self) -> None:
        # Given an agent that calls every five seconds and never ends
        world = Telemetry()
        for n in range(12):
            world.write([chat(f"call{n}", "agent", at=5 * n)], partition=n % 3, at=5 * n)
        # When just that has been read
        for p in world.partitions:
            world.step(p, SPANS)
            world.checkpoint(p)
        world.settle(6)
        # Then all calls but those of the last seconds are told
        assert len(world.requests()) == 9

    def test_every_record_twice_counts_once(self) -> None:
        world = Telemetry()
        for partition in (0, 2):
            world.write([chat("call", "agent"), agent("agent")], partition=partition, at=2)
        world.settle()
        world.write([agent("agent"), chat("call", "agent")], partition=1, at=300)
        world.settle()
        assert world.calls("call", "agent") == ["call"]
        assert world.counts["otlp_spans call"] == 1
        assert world.counts["otlp_spans repeat"] == 4

    def test_a_conversation_in_log_records_belongs_to_its_span(self) -> None:
        world = Telemetry()
        said = {
            "timeUnixNano": "1772366400000000000", "traceId": trace_id(1), "spanId": span_id("call1"), "eventName": "gen_ai.user.message",
            "body": {"kvlistValue": {"values": [{"key": "content", "value": {"stringValue": "Where is my order?"}}]}},
        }  # fmt: skip
        other = {**said, "eventName": "app.started"}
        logs = json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [said, other]}]}]}).encode()
        world.write(logs, partition=1, at=3, topic=LOGS)
        world.write([chat("call", "root")], partition=0, at=1)
        world.settle()
        [request] = world.requests().values()
        assert [m["content"] for m in request["messages"]] == ["Where is my order?"]
        assert world.counts["otlp_ignored log"] == 1


class TestOneCallIsOneCall:
    def test_a_wrapper_that_comes_a_little_later_says_what_it_knows(self) -> None:
        world = Telemetry()
        world.write([chat("inner", "outer")], partition=0, at=1)
        asked = [{"role": "user", "parts": [{"type": "text", "content": "Hello?"}]}]
        world.write([chat("outer", "root", gen_ai__input__messages=asked)], partition=1, at=7)
        world.settle()
        assert world.calls("inner", "outer") == ["inner"]
        [request] = world.requests().values()
        assert [m["content"] for m in request["messages"]] == ["Hello?"]
        assert {row["span_id"]: row["kind"] for row in world.rows["steps"].values()} == {span_id("outer1"): "part"}
        assert next(iter(world.rows["steps"].values()))["response_id"] == key("inner")

    def test_a_wrapper_that_comes_too_late_is_no_second_call(self) -> None:
        world = Telemetry()
        world.write([chat("inner", "outer")], at=1)
        world.settle()
        world.write([chat("outer", "root")], at=70)
        world.settle()
        assert world.calls("inner", "outer") == ["inner"]
        assert world.counts["otlp_spans counted_before"] == 1

    def test_nor_is_what_was_wrapped(self) -> None:
        world = Telemetry()
        world.write([chat("outer", "root")], at=1)
        world.settle()
        world.write([chat("inner", "between"), span("between", "outer")], at=70)
        world.settle()
        assert world.calls("inner", "outer") == ["outer"]

    def test_of_a_wrapper_around_two_calls_both_count_however_late_the_second(self) -> None:
        world = Telemetry()
        world.write([chat("one", "outer"), chat("outer", "root", tokens=200)], at=1)
        world.settle()
        world.write([chat("two", "outer", at=3)], at=70)
        world.settle()
        assert world.calls("one", "two", "outer") == ["one", "two"]

    def test_what_a_tool_asks_another_model_is_another_call(self) -> None:
        world = Telemetry()
        world.write([chat("nested", "search"), tool("search", "call")], at=1)
        world.settle()
        world.write([chat("call", "root")], at=70)
        world.settle()
        assert world.calls("nested", "call") == ["nested", "call"]

    def test_two_libraries_tell_of_one_call_in_a_trace_each(self) -> None:
        # Given a client that traces itself, within another library's span of the same call
        world = Telemetry()
        world.write([chat("outer", trace="a", at=0, took=3, answer="msg_1")], partition=0, at=4, scope="library")
        world.write([chat("inner", trace="b", at=1, took=1, answer="msg_1")], partition=1, at=6, scope="client")
        # and another call to which a careless provider gives the same id
        world.write([chat("third", trace="c", at=9, took=1, answer="msg_1")], partition=2, at=8, scope="library")
        world.settle()
        # Then they are one call, and one
        assert sorted(world.requests()) == sorted([key("inner", "b"), key("third", "c")])
        [row] = world.rows["steps"].values()
        assert (row["span_id"], row["kind"], row["response_id"]) == (span_id("outera"), "part", key("inner", "b"))


class TestEverythingIsAccountedFor:
    def test_what_is_no_otlp_is_a_dead_letter_with_its_reason(self) -> None:
        world = Telemetry()
        world.write(b'{"event_id": "x"}', partition=1)
        world.write([{**chat("bad"), "traceId": ""}, chat("good", "root")], partition=1)
        world.write(b"\xff\xff\xff", partition=2, topic=LOGS)
        world.settle()
        assert world.letters.keys() == {(SPANS, 1, 0), (SPANS, 1, 1), (LOGS, 2, 0)}
        assert "1 of 2 spans" in world.letters[SPANS, 1, 1]
        assert world.calls("good") == ["good"]

    def test_each_span_is_a_call_a_step_a_part_or_ignored(self) -> None:
        world = Telemetry()
        world.write([agent("agent"), span("GET /", "agent"), chat("call", "GET /"), tool("search", "agent")], at=1)
        world.settle()
        counts = {name: count for name, count in world.counts.items() if name.startswith("otlp_")}
        assert counts == {"otlp_spans call": 1, "otlp_spans step": 2, "otlp_ignored span": 1}
        [request] = world.requests().values()
        assert request["parent_span_id"] == span_id("agent1")

    def test_personal_data_of_steps_is_masked(self) -> None:
        world = Telemetry()
        world.write([tool("lookup", "root", gen_ai__tool__call__arguments='{"mail": "ana.souza@example.com"}')], at=1)
        world.settle()
        [row] = world.rows["steps"].values()
        assert "ana.souza" not in json.dumps(row)
        assert "<EMAIL:" in row["input"]
        assert [item["kind"] for item in row["pii"]] == ["EMAIL"]

    def test_beyond_the_bounds_spans_do_not_wait_and_none_is_lost(self) -> None:
        world = Telemetry(1, max_spans=100)
        for n in range(50):
            world.write([chat(f"call{n}-{m}", "root", trace=n) for m in range(10)], at=n / 100)
        world.settle(5)
        assert len(world.requests()) >= 400
        world.settle()
        assert len(world.requests()) == 500
        assert world.states[0].gauges()["spans_remembered"] <= 100
        assert world.counts["otlp_early"] >= 400

    def test_what_is_remembered_is_forgotten_in_time(self) -> None:
        world = Telemetry(1, remember=60)
        world.write([chat("call", "root")], at=0)
        world.settle()
        assert world.states[0].gauges()["spans_remembered"] == 1
        world.write([chat("call", "root", trace=2)], at=200)
        world.settle()
        assert world.states[0].gauges()["spans_remembered"] == 1
        assert world.states[0].gauges()["spans_bytes"] < len(message([chat("call", "root")]))
