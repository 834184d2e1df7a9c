"""Planted personal data is nowhere but where the list says (docs/privacy.md), and no command lets an event speak to the terminal."""

from __future__ import annotations

import base64
import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.installation import Installation, Sent, request, response, rfc3339, unique

CPF, MAIL, CARD = "529.982.247-26", "ana.lima@example.org", "4111 1111 1111 1112"
PLANTED = f"CPF {CPF}, {MAIL}, cartão {CARD}"
HOSTILE = "[/bold]\x1b[31mred\x1b]0;title\x07 \x9b2J \u202e"
TEXT = f"{PLANTED} {HOSTILE}"
NEVER = (CPF, CPF[:11], MAIL, CARD, CARD[:14])
ACTS = {"\x1b", "\x07", "\x9b", "\u202e"}


@pytest.fixture(scope="module")
def calls(mirante: Installation) -> dict[str, str]:
    """A call with text in every field that is no id or name, feedback, a score, and dead letters."""
    tenant, call = unique("planted"), unique("call")
    asked = request(
        call, tenant=tenant, session_id=f"s-{call}", system_instructions=TEXT, messages=[{"role": "user", "content": TEXT, TEXT: TEXT}],
        params={"stop": TEXT}, documents=[{"id": "d1", "text": TEXT, "score": 0.5}], tools=[{"name": TEXT}], output_schema={"title": TEXT},
        prompt={"name": "p", "sha": "abc", "variables": {"name": TEXT}}, unknown=TEXT,
    )  # fmt: skip
    said = response(
        call, tenant=tenant, session_id=f"s-{call}", status="error", error={"type": TEXT, "code": TEXT, "message": TEXT}, output=TEXT,
        finish_reason=TEXT, system_fingerprint=TEXT, service_tier=TEXT, region=TEXT, tool_calls=[{"name": TEXT, "arguments": {"a": TEXT}}],
        rails=[{"name": TEXT, "stage": "output", "verdict": "flag", "detail": TEXT}], usage={"input_tokens": 1, "requests": {TEXT: 1}},
        unknown=TEXT,
    )  # fmt: skip
    common = {"time": rfc3339(3), "tenant": tenant, "session_id": f"s-{call}", "response_id": f"r-{call}"}
    mirante.publish([
        Sent("requests", asked, f"s-{call}"),
        Sent("responses", said, f"s-{call}"),
        Sent("feedback", {"event_id": unique("f"), "kind": "comment", "comment": TEXT, "unknown": TEXT, **common}, f"s-{call}"),
        Sent("evaluations", {"event_id": unique("e"), "name": "right", "score": 0.5, "label": TEXT, "explanation": TEXT, "source": TEXT,
                             **common}, f"s-{call}"),
        Sent("requests", {"event_id": unique("q"), "model": TEXT, "tenant": tenant, "time": TEXT}, tenant, [("why", TEXT.encode())]),
        Sent("requests", f'{{"output": "{TEXT}", {tenant}'.encode(), tenant),
        Sent("requests", f"[/bold] {PLANTED}".encode(), tenant),
    ])  # fmt: skip
    where = "FROM mirante.{} WHERE tenant = {{tenant:String}}"
    for table in ("interactions", "feedback", "evaluations"):
        mirante.eventually(f"SELECT count() {where.format(table)}", [(1,)], tenant=tenant)
    mirante.eventually("SELECT outcome " + where.format("interactions"), [("api_error",)], tenant=tenant)
    letters = "SELECT count() FROM mirante.deadletter WHERE key = {key:String}"
    mirante.eventually(letters, [(3,)], key=base64.b64encode(tenant.encode()).decode())
    return {"tenant": tenant, "call": call}


def run(mirante: Installation, *arguments: str) -> str:
    settings = {"MIRANTE_TOPIC_PREFIX": mirante.prefix, "COLUMNS": "400"}
    command = [sys.executable, "-m", "deploy.cli", *arguments]
    done = subprocess.run(command, capture_output=True, env={**os.environ, **settings}, timeout=60, check=False)
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    return (done.stdout + done.stderr).decode()


def test_planted_personal_data_is_in_no_table(mirante: Installation, calls: dict[str, str]) -> None:
    tables = [name for (name,) in mirante.query("SELECT name FROM system.tables WHERE database = 'mirante'")]
    assert {"interactions_data", "deadletter_data", "alerts_data", "drift_data"} <= set(tables)
    for table in tables:
        for row in mirante.query(f"SELECT * FROM mirante.{table}"):
            text = json.dumps(row, default=str, ensure_ascii=False)
            if table.startswith("deadletter"):
                text += "".join(_decoded(part) for part in row)
            assert not any(never in text for never in NEVER), (table, text)


def _decoded(part: Any) -> str:
    try:
        return base64.b64decode(part, validate=True).decode(errors="replace")
    except (TypeError, ValueError):
        return ""


def test_planted_personal_data_is_in_no_log(mirante: Installation, calls: dict[str, str]) -> None:
    logs = list((Path(mirante.directory) / "logs").glob("*"))
    assert logs
    for log in logs:
        text = log.read_text(errors="replace")
        assert not any(never in text for never in NEVER), log


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize(
    "command", ["trace", "session", "deadletter", "alerts", "controls", "prompts", "checklist", "doctor", "query", "error"]
)
def test_no_command_lets_an_event_act_on_the_terminal(mirante: Installation, calls: dict[str, str], command: str, as_json: bool) -> None:
    data, call, tenant = str(mirante.directory), calls["call"], calls["tenant"]
    if command == "controls":
        run(mirante, "kill", "--data", data, f"feature:{tenant}", "--reason", HOSTILE)
    arguments = {
        "trace": ["trace", f"r-{call}"],
        "session": ["trace", "--session-id", f"s-{call}"],
        "deadletter": ["deadletter", "list", "--topic", f"{mirante.prefix}requests"],
        "alerts": ["alerts", "--all"],
        "query": ["query", f"SELECT output, error_type, messages FROM interactions WHERE tenant = '{tenant}'"],
        "error": ["query", f"SELECT '{HOSTILE}' FROM nowhere"],
    }.get(command, [command])
    shown = run(mirante, *arguments, "--data", data, *(["--json"] if as_json else []))
    assert not ACTS & set(shown)
    assert not any(never in shown for never in NEVER)
    if command in ("trace", "deadletter", "controls", "query"):
        assert "[/bold]" in shown or as_json, shown
        assert r"\x1b[31m" in shown or as_json or command == "deadletter", shown
    if command == "controls":
        run(mirante, "restore", "--data", data, f"feature:{tenant}")


def test_a_spreadsheet_gets_no_formula(mirante: Installation, calls: dict[str, str]) -> None:
    tenant, call = unique("sheet"), unique("call")
    formula = '=HYPERLINK("http://evil.example")'
    answer = response(call, tenant=tenant, output=formula)
    mirante.publish([Sent("requests", request(call, tenant=tenant), call), Sent("responses", answer, call)])
    mirante.eventually("SELECT output FROM mirante.interactions WHERE tenant = {tenant:String}", [(formula,)], tenant=tenant)
    sql = f"SELECT output, -5 AS n FROM interactions WHERE tenant = '{tenant}' FORMAT CSVWithNames"
    rows = list(csv.reader(io.StringIO(run(mirante, "query", sql, "--data", str(mirante.directory)))))
    assert rows == [["output", "n"], ["'" + formula, "-5"]]
