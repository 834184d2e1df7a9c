"""deploy/alertmanager in a real Alertmanager: it hides nobody's alerts, and what it sends says what Mirante says."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import msgspec
import pytest

from deploy.embedded.ports import LOOPBACK, free_port
from deploy.embedded.stack import fetch
from deploy.forward.payloads import alertmanager_alert
from schemas.outputs import Alert
from tests.pipeline.test_prometheus import ALERTMANAGER, eventually, running
from tests.unit.test_alert_texts import EXAMPLES, life_of

FOLDER = Path(__file__).resolve().parents[2] / "deploy/alertmanager"

pytestmark = pytest.mark.skipif(
    ALERTMANAGER is None, reason="not installed (Debian: apt install prometheus-alertmanager)"
)

HIDING = """inhibit_rules:
  - source_matchers: [severity = page]
    target_matchers: [severity = ticket]
    equal: [alertname, tenant, feature]
"""
"""What stood in the file once."""

PAIRS: list[tuple[str, dict[str, str], dict[str, str]]] = [
    (
        "ErrorRate",
        {"scope": "provider", "provider": "openai"},
        {"scope": "provider", "provider": "mistral"},
    ),
    ("RunawayLoop", {"session": "s1"}, {"session": "s2"}),
    (
        "RunawayLoop",
        {"session": "s1", "tenant": "acme", "feature": "agent"},
        {"session": "s2", "tenant": "acme", "feature": "agent"},
    ),
    (
        "BudgetExhausted",
        {"budget": "per-user", "user": "ana"},
        {"budget": "per-user", "user": "bia"},
    ),
    ("BudgetBurn", {"budget": "chat"}, {"budget": "search"}),
    ("Drift", {"feature": "chat", "model": "a"}, {"feature": "chat", "model": "b"}),
    (
        "RateLimitExceeded",
        {"limit": "per-user", "user": "ana"},
        {"limit": "per-tenant", "tenant": "acme"},
    ),
    ("UnpricedModel", {"provider": "openai", "model": "a"}, {"provider": "openai", "model": "b"}),
    (
        "LatencySLOBurn",
        {"tenant": "a", "feature": "f", "slo": "x"},
        {"tenant": "a", "feature": "f", "slo": "y"},
    ),
]
"""A page and a ticket of one name about different things."""


@contextmanager
def alertmanager(folder: Path, sink: str, extra: str = "") -> Iterator[str]:
    """The address of an Alertmanager with our configuration, which sends to ``sink``."""
    text = (
        (FOLDER / "alertmanager.yml").read_text("utf-8").replace("/etc/alertmanager", str(folder))
    )
    text = text.replace("group_wait: 10s        #", "group_wait: 0s  #")
    (folder / "alertmanager.yml").write_text(
        f"global:\n  pagerduty_url: {sink}/pagerduty\n{extra}{text}", "utf-8"
    )
    (folder / "pagerduty_key").write_text("key")
    (folder / "slack_url").write_text(f"{sink}/slack")
    address = f"{LOOPBACK}:{free_port()}"
    command = [str(ALERTMANAGER), "--config.file=alertmanager.yml", "--storage.path=data", "--cluster.listen-address=",
               f"--web.listen-address={address}"]  # fmt: skip
    with running(command, folder, f"http://{address}/-/ready"):
        yield f"http://{address}"


class _Sink(BaseHTTPRequestHandler):
    """Keeps what is posted: (path, JSON)."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.posted.append((self.path, body))  # type: ignore[attr-defined]
        answer = b'{"status":"success"}' if self.path == "/pagerduty" else b"ok"
        self.send_response(202 if self.path == "/pagerduty" else 200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: Any) -> None:
        """Not on the terminal."""


@pytest.fixture
def sink() -> Iterator[tuple[str, list[tuple[str, Any]]]]:
    server = ThreadingHTTPServer((LOOPBACK, 0), _Sink)
    server.posted = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://{LOOPBACK}:{server.server_address[1]}", server.posted  # type: ignore[attr-defined]
    server.shutdown()
    server.server_close()


def post(address: str, alerts: list[Any]) -> None:
    request = Request(
        f"{address}/api/v2/alerts",
        msgspec.json.encode(alerts),
        {"Content-Type": "application/json"},
    )
    with urlopen(request, timeout=10) as answer:
        assert answer.status == 200


def pair(name: str, page: dict[str, str], ticket: dict[str, str]) -> list[dict[str, Any]]:
    starts = datetime.now(UTC).isoformat()
    note = {"summary": "s"}
    return [
        {
            "labels": {**labels, "alertname": name, "severity": severity},
            "annotations": note,
            "startsAt": starts,
        }
        for labels, severity in ((page, "page"), (ticket, "ticket"))
    ]


def suppressed(address: str) -> list[str]:
    """Names of the alerts that another one hides, once all are in."""
    eventually(
        lambda: len(json.loads(fetch(f"{address}/api/v2/alerts") or b"[]")) == 2 * len(PAIRS)
    )
    time.sleep(1.0)  # what inhibits takes effect when it has been processed
    found = json.loads(fetch(f"{address}/api/v2/alerts") or b"[]")
    return sorted(alert["labels"]["alertname"] for alert in found if alert["status"]["inhibitedBy"])


def test_no_alert_hides_another_one(
    tmp_path: Path, sink: tuple[str, list[tuple[str, Any]]]
) -> None:
    with alertmanager(tmp_path, sink[0]) as address:
        post(address, [alert for one in PAIRS for alert in pair(*one)])
        assert suppressed(address) == []


def test_the_rule_that_stood_there_is_seen_to_hide_them(
    tmp_path: Path, sink: tuple[str, list[tuple[str, Any]]]
) -> None:
    with alertmanager(tmp_path, sink[0], HIDING) as address:
        post(address, [alert for one in PAIRS for alert in pair(*one)])
        assert {"ErrorRate", "RunawayLoop", "BudgetExhausted", "Drift", "UnpricedModel"} <= set(
            suppressed(address)
        )


def now(alert: Alert, severity: str) -> dict[str, Any]:
    """As `mirante forward` posts it, at this moment and of this severity."""
    posted = alertmanager_alert(alert, datetime.now(UTC))
    posted["labels"]["severity"] = severity
    posted["startsAt"] = datetime.now(UTC).isoformat()
    return posted


def of(posted: list[tuple[str, Any]], path: str, least: int) -> list[Any] | None:
    """What was posted there, once there is enough of it."""
    found = [body for where, body in list(posted) if where == path]
    return found if len(found) >= least else None


def test_pagerduty_and_slack_get_impact_cause_evidence_what_to_do_and_a_link(
    tmp_path: Path, sink: tuple[str, list[tuple[str, Any]]]
) -> None:
    url, posted = sink
    firing = {
        alert.name: alert for example in EXAMPLES if (alert := life_of(example, "en")["firing"])
    }
    with alertmanager(tmp_path, url) as address:
        post(
            address,
            [now(alert, severity) for alert in firing.values() for severity in ("page", "ticket")],
        )
        pages = eventually(lambda: of(posted, "/pagerduty", len(firing)))
        tickets = eventually(lambda: of(posted, "/slack", len(firing)))
    for event in pages:
        notes, details = (
            firing[event["payload"]["summary"].split(":")[0]].annotations,
            event["payload"]["custom_details"],
        )
        assert (
            details["evidence"].strip() == notes["description"]
            and details["do"].strip() == notes["action"].strip()
        )
        assert details["impact"].strip() == notes.get("impact", "") and details[
            "cause"
        ].strip() == notes.get("cause", "")
        assert details["dashboard"] == notes["dashboard_url"]
    for message in tickets:
        attachment = message["attachments"][0]
        name = (
            attachment["title"].split(":")[0].removesuffix(" (2)")
        )  # for those who pay a page and a ticket are joined
        notes = firing[name].annotations
        assert attachment["title_link"] == notes["dashboard_url"]
        for part in ("summary", "impact", "cause", "description", "action", "dashboard_url"):
            assert notes.get(part, "").split("\n")[0] in attachment["text"], (name, part)
