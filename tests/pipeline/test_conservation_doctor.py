"""Every record ends as a row, a repeat or a dead letter, and what does not is found."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from deploy.cli.doctor_conservation import accounts, conservation, finding_of, finding_of_otlp
from deploy.conservation.events import Account
from deploy.conservation.otlp import SpanAccount as OtlpAccount
from deploy.embedded.broker_api import Broker
from streams.clickhouse import connect
from streams.settings import OtlpSettings
from tests.ingests import eventually
from tests.installation import NOW, Installation, Sent, request, response, unique


def test_what_became_of_each_record_is_added_up(broker: Broker, tmp_path: Path) -> None:
    with Installation(broker.bootstrap, tmp_path) as mirante:
        # Given a call whose request was published twice, poison, and a tombstone
        mirante.publish(
            [
                Sent("requests", request("a"), "a"),
                Sent("requests", request("a"), "another key"),
                Sent("requests", b"poison", "a"),
                Sent("responses", response("a"), "a"),
                Sent("responses", None, "a"),
            ]
        )
        mirante.eventually("SELECT outcome FROM mirante.interactions", [("ok",)])
        mirante.eventually("SELECT count() FROM mirante.repeats", [(1,)])
        mirante.eventually("SELECT count() FROM mirante.deadletter", [(2,)])
        # When they are accounted for, then they add up
        found = account_for(mirante)
        assert found["requests"][:6] == (f"{mirante.prefix}requests", 3, 1, 1, 1, 0)
        assert found["responses"][:6] == (f"{mirante.prefix}responses", 2, 1, 0, 1, 0)
        assert [finding_of(account).state for account in found.values()] == ["ok"] * 4
        # When a row is lost, then its records are missing, a while after they should have ended
        mirante.query("DELETE FROM mirante.interactions_data WHERE request_id = 'a'")
        lost = account_for(mirante, later=1_000)
        assert len(lost["requests"].missing) == len(lost["responses"].missing) == 1
        assert finding_of(lost["requests"]).state == "error"


def test_spans_and_log_records_are_added_up_too(broker: Broker, tmp_path: Path) -> None:
    own = {"enabled": True, "spans": unique("spans"), "logs": unique("logs"), "settle": 2.0}
    with Installation(broker.bootstrap, tmp_path, otlp=own) as mirante:
        # Given 40 traces of a server's span, an agent, a call, a gateway's span of the same call, and a tool
        wholes = [of_trace(trace) for trace in range(1, 41)]
        # the first ten of them twice; two that cannot be read, one with a span that cannot, and one without any
        faulty = export(Span(trace_id=b"short", span_id=b"12345678", start_time_unix_nano=1), *spans_of(41))
        values = [*wholes, *wholes[:10], b"no spans", None, faulty, b""]
        # and log records: of a call, the same again, of a span that never comes, and of no AI
        logs = [said(1, 4), said(1, 4), said(99, 4), said(1, 4, "app.started"), b"no logs"]
        asyncio.run(mirante.put(own["spans"], values))
        asyncio.run(mirante.put(own["logs"], logs))
        mirante.eventually("SELECT count() FROM mirante.interactions", [(41,)], within=60)
        mirante.eventually("SELECT count() FROM mirante.deadletter", [(4,)])
        assert eventually(lambda: mirante.at_rest(2), 60)
        # When they are accounted for, then they add up
        spans, log_records = telemetry_of(mirante)
        assert (spans.topic, spans.records, spans.letters, spans.held) == (own["spans"], 54, 3, 51 * 5)
        assert spans.ended == {"calls": 41, "steps": 3 * 41, "that say nothing of AI": 41, "repeats": 50}
        assert (log_records.topic, log_records.records, log_records.letters, log_records.held) == (own["logs"], 5, 1, 4)
        assert log_records.ended == {"of calls and steps": 1, "repeats": 1, "of no such span": 1, "that say nothing of AI": 1}
        assert [finding_of_otlp(account).state for account in (spans, log_records)] == ["ok", "ok"]
        # and those who ask need not know that it is on
        shown = conservation(mirante.stack.settings.model_copy(update={"otlp": OtlpSettings(spans=own["spans"], logs=own["logs"])}))
        assert "41 calls + 50 repeats + 123 steps + 41 that say nothing of AI; 3 records are dead letters; difference 0" in shown[4].detail
        # When a step is lost, then its record is missing, once it is due
        mirante.query("DELETE FROM mirante.steps_data WHERE kind = 'tool' AND trace_id = {trace:String}", trace=f"{20:032x}")
        lost, _ = telemetry_of(mirante, later=1_000)
        assert len(lost.missing) == 1
        assert finding_of_otlp(lost).state == "error"


def spans_of(trace: int) -> list[Span]:
    """1 a server's, 2 an agent, 3 a gateway's span of a call, 4 the call, 5 a tool."""
    operations = {2: "invoke_agent", 3: "chat", 4: "chat", 5: "execute_tool"}
    return [span(trace, number, parent, operations.get(number, "")) for number, parent in ((4, 3), (3, 2), (5, 2), (2, 1), (1, 0))]


def span(trace: int, number: int, parent: int, operation: str) -> Span:
    begin = int(NOW.timestamp() * 1e9) + number * 1_000
    made = Span(
        trace_id=trace.to_bytes(16), span_id=(trace * 8 + number).to_bytes(8), name=operation or "POST /chat",
        parent_span_id=(trace * 8 + parent).to_bytes(8) if parent else b"", start_time_unix_nano=begin, end_time_unix_nano=begin + 10**9,
    )  # fmt: skip
    texts = {"gen_ai.operation.name": operation} if operation else {}
    if operation == "chat":
        texts |= {"gen_ai.request.model": "gpt-4o-mini", "gen_ai.response.id": f"answer-{trace}"}
    for name, text in texts.items():
        made.attributes.add(key=name).value.string_value = text
    return made


def of_trace(trace: int) -> bytes:
    return export(*spans_of(trace))


def export(*spans: Span) -> bytes:
    whole = ExportTraceServiceRequest()
    whole.resource_spans.add().scope_spans.add().spans.extend(spans)
    return whole.SerializeToString()


def said(trace: int, number: int, name: str = "gen_ai.user.message") -> bytes:
    """A log record of a span."""
    whole = ExportLogsServiceRequest()
    whole.resource_logs.add().scope_logs.add().log_records.add(
        trace_id=trace.to_bytes(16), span_id=(trace * 8 + number).to_bytes(8), time_unix_nano=int(NOW.timestamp() * 1e9), event_name=name
    )
    return whole.SerializeToString()


def account_for(mirante: Installation, later: float = 0.0) -> dict[str, Account]:
    """By kind. ``later``: seconds from now."""
    events, _ = _accounts(mirante, later)
    return {account.topic.removeprefix(mirante.prefix): account for account in events}


def telemetry_of(mirante: Installation, later: float = 0.0) -> list[OtlpAccount]:
    """Of spans and of log records."""
    return _accounts(mirante, later)[1]


def _accounts(mirante: Installation, later: float) -> tuple[list[Account], list[OtlpAccount]]:
    settings = mirante.stack.settings
    client = connect(settings.clickhouse_url)
    try:
        return asyncio.run(accounts(settings, client, time.time() + later, 3_600))
    finally:
        client.close()
