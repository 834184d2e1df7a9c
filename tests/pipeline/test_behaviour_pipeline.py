"""From events to shadow pairs, repeated questions and judged answers; and from a response back to its story."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from deploy.embedded.broker_api import Broker
from deploy.judge.settings import JudgeSettings
from deploy.judge.worker import judge_tasks
from tests.installation import Installation, Sent, request, response, rfc3339

SETTINGS = {"behaviour": {"enabled": True, "judge": ["helpfulness"], "judge_candidates": 1.0, "settle": 5.0}}


def call(name: str, at: float, question: str, output: str, *, tenant: str = "acme", cost: float = 0.01, **fields: Any) -> list[Sent]:
    common = {"tenant": tenant, "session_id": f"s-{name}"}
    asked = request(name, at=at, messages=[{"role": "user", "content": question}], **common, **fields)
    said = response(name, at=at + 1, output=output, cost_usd=cost, **common)
    return [Sent("requests", asked, f"s-{name}"), Sent("responses", said, f"s-{name}")]


@contextmanager
def grader() -> Iterator[str]:
    """A local OpenAI-compatible server that likes every answer."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            content = json.dumps({"score": 0.75, "explanation": "fine"})
            body = json.dumps({"choices": [{"message": {"content": content}}]}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing to standard error."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def mirante(*arguments: str, data: Path) -> Any:
    command = [sys.executable, "-m", "deploy.cli", *arguments, "--data", str(data), "--json"]
    done = subprocess.run(command, capture_output=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def standing(data: Path) -> str:
    """Of the prompt version that runs."""
    return next(str(version["status"]) for version in mirante("prompts", data=data) if version["prompt_name"] == "support")


@pytest.mark.timeout(300)
def test_calls_are_compared_judged_and_traced(broker: Broker, tmp_path: Path) -> None:
    with Installation(broker.bootstrap, tmp_path, **SETTINGS) as installation:
        # Given a call whose shadow costs twice as much, a question asked twice, a tool step, a thumb, and later traffic that lets time pass
        question = "Qual é o prazo de entrega para o CPF 529.982.247-25?"
        trace = {"trace_id": "trace-1", "system_instructions": "Seja breve.", "prompt": {"name": "support", "sha": "a" * 40}}
        documents = [{"id": "doc-1", "score": 0.9, "text": "Prazo: 5 dias."}]
        installation.publish(
            [
                *call("one", 0, question, "São 5 dias.", span_id="root", documents=documents, **trace),
                *call("tool", 0.2, "busca", "", operation="execute_tool", span_id="tool", parent_span_id="root", trace_id="trace-1"),
                *call("shadow", 2, question, "Entregamos em 5 dias.", cost=0.02, variant="shadow", shadow_of="one", **trace),
                *call("two", 20, "Onde vejo minha fatura?", "Na página Faturas."),
                *call("three", 30, "onde vejo a minha fatura", "Na página Faturas."),
                Sent("feedback", {"event_id": "f1", "time": rfc3339(5), "kind": "thumbs_up", "response_id": "r-one", "tenant": "acme",
                                  "session_id": "s-one"}, "s-one"),
                *(sent for n in range(12) for sent in call(f"later-{n}", 120, "x", "y", feature=f"other-{n}")),
            ]
        )  # fmt: skip
        # Then the pair and the group are there
        installation.eventually(
            "SELECT live_request_id, request_id, live_outcome, cost_usd > live_cost_usd FROM mirante.shadow_pairs",
            [("one", "shadow", "ok", True)], within=60,
        )  # fmt: skip
        groups = "SELECT requests, users, answers_differ, cost_usd FROM mirante.cache_candidates WHERE question LIKE '%fatura%'"
        installation.eventually(groups, [(2, 2, False, Decimal("0.01"))], within=60)
        # When a judge works through its tasks
        with grader() as url:
            settings = installation.stack.settings
            counts = asyncio.run(judge_tasks(settings, JudgeSettings(url=url, model="grader"), until_idle=3))
        assert counts["judged"] >= 1
        scores = "SELECT score, source FROM mirante.evaluations WHERE response_id = 'r-one' AND name = 'helpfulness'"
        installation.eventually(scores, [(0.75, "judge")], within=60)
        # Then the story of the answer has all of it, and no personal data
        story = mirante("trace", "r-one", data=tmp_path)
        [told] = story["calls"]
        assert told["documents"] == documents
        assert told["feedback"][0]["kind"] == "thumbs_up"
        assert told["evaluations"][0]["explanation"] == "fine"
        assert told["shadow_pairs"][0]["request_id"] == "shadow"
        root = story["steps"][0]
        assert (root["request_id"], [child["request_id"] for child in root["children"]]) == ("one", ["tool"])
        assert "529.982" not in json.dumps(story)
        assert [c["request_id"] for c in mirante("trace", "--trace-id", "trace-1", data=tmp_path)["calls"]] == ["one", "tool", "shadow"]
        assert mirante("judge", "agreement", data=tmp_path)[0]["same"] == 1.0
        # And what runs is not what is committed
        assert standing(tmp_path) == "unknown"
        repository = tmp_path / "repository"
        (repository / "prompts").mkdir(parents=True)
        (repository / "prompts/support.md").write_text("Seja breve.")
        git = ["git", "-c", "user.name=Ana", "-c", "user.email=ana@example.com", "-c", "commit.gpgsign=false"]
        for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "prompts"]):
            subprocess.run([*git, *command], cwd=repository, check=True)
        assert mirante("prompts", "sync", str(repository), data=tmp_path) == {"repository": "repository", "files": 1, "versions": 1}
        assert standing(tmp_path) == "not committed"
