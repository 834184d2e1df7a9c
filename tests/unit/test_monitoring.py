"""Prometheus rules and Grafana boards are those of the code, and speak of what exists."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from deploy.ingest.metrics import IngestMetrics
from deploy.monitoring.__main__ import files
from deploy.monitoring.boards import BOARDS, document
from deploy.monitoring.rules import RULES, RUNBOOK
from streams.metrics import Metrics

ROOT = Path(__file__).resolve().parents[2]
METRICS = {family.name for one in (Metrics(), IngestMetrics()) for family in one.registry.collect()}


@pytest.mark.parametrize(("path", "text"), list(files()), ids=lambda value: getattr(value, "name", ""))
def test_the_files_are_what_the_code_says(path: Path, text: str) -> None:
    assert path.read_text("utf-8") == text, "run python -m deploy.monitoring"


def metrics_of(expression: str) -> set[str]:
    names = re.findall(r"\b(?:mirante|process)_[a-z_]+", expression)
    return {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in names}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_asks_for_metrics_that_exist(rule: object) -> None:
    assert metrics_of(rule.expression) <= METRICS  # type: ignore[attr-defined]


def test_every_row_of_what_to_alert_on_has_a_rule() -> None:
    text = (ROOT / "docs/operations.md").read_text("utf-8")
    rows = re.split(r"(?m)^## ", text.split("## What to alert on\n")[1])[0]
    wanted = {name for cell in re.findall(r"(?m)^\| ([^|]+) \|", rows) for name in metrics_of(cell)}
    asked = {name for rule in RULES for name in metrics_of(rule.expression)}
    assert wanted <= asked
    assert len(RULES) == len(re.findall(r"(?m)^\| (?!condition|---)", rows))


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)
class TestBoard:
    def test_panels_do_not_overlap_and_have_names_of_their_own(self, board: object) -> None:
        panels = document(board)["panels"]  # type: ignore[arg-type]
        cells: set[tuple[int, int]] = set()
        for panel in panels:
            place = panel["gridPos"]
            own = {
                (x, y)
                for x in range(place["x"], place["x"] + place["w"])
                for y in range(place["y"], place["y"] + place["h"])
            }
            assert not own & cells
            assert place["x"] + place["w"] <= 24
            cells |= own
        assert len({panel["id"] for panel in panels}) == len(panels)

    def test_prometheus_panels_ask_for_metrics_that_exist(self, board: object) -> None:
        for panel in document(board)["panels"]:  # type: ignore[arg-type]
            for target in panel["targets"]:
                assert metrics_of(target.get("expr", "")) <= METRICS

    def test_it_is_plain_json(self, board: object) -> None:
        assert json.loads(json.dumps(document(board))) == document(board)  # type: ignore[arg-type]


PROMTOOL = shutil.which("promtool")


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed (Debian: apt install prometheus)")
class TestPrometheus:
    def test_it_accepts_the_rules(self) -> None:
        path = ROOT / "deploy/prometheus/rules.yml"
        done = subprocess.run([str(PROMTOOL), "check", "rules", str(path)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert f"{len(RULES)} rules found" in done.stdout

    @pytest.mark.parametrize(
        ("rule", "series", "minutes", "labels"),
        [
            ("MiranteWorkerDown", {'up{job="mirante", instance="w:1"}': "1 0x20"}, 4, {"job": "mirante", "instance": "w:1"}),
            ("MiranteDeadLetters", {'mirante_dead_letters_total{stage="interactions"}': "0x5 1+0x20"}, 8, {}),
            ("MiranteDeadLetters", {'mirante_dead_letters_total{stage="labels"}': "_x5 1+0x20"}, 8, {}),
            ("MiranteLagGrows", {'mirante_lag{topic="llm.requests", partition="0"}': "0+600x60"}, 30, {"topic": "llm.requests"}),
            ("MiranteUnpriced", {'mirante_unpriced_total{model="m"}': "_x5 1+0x60"}, 10, {"model": "m"}),
            ("MiranteUnpriced", {'mirante_unpriced_total{model="m"}': "0x5 1+1x60"}, 10, {"model": "m"}),
        ],
    )
    def test_a_rule_fires_when_its_condition_holds_and_not_before(
        self, tmp_path: Path, rule: str, series: dict[str, str], minutes: int, labels: dict[str, str]
    ) -> None:
        chosen = next(one for one in RULES if one.name == rule)
        summary = chosen.summary
        for name, value in labels.items():
            summary = summary.replace(f"{{{{ $labels.{name} }}}}", value)
        fires = {
            "exp_labels": {"severity": chosen.severity, **labels},
            "exp_annotations": {"summary": summary, "action": chosen.action, "runbook_url": RUNBOOK},
        }
        test = {
            "rule_files": [str(ROOT / "deploy/prometheus/rules.yml")],
            "evaluation_interval": "1m",
            "tests": [
                {
                    "interval": "1m",
                    "input_series": [{"series": name, "values": values} for name, values in series.items()],
                    "alert_rule_test": [
                        {"eval_time": "1m", "alertname": rule, "exp_alerts": []},
                        {"eval_time": f"{minutes}m", "alertname": rule, "exp_alerts": [fires]},
                    ],
                }
            ],
        }
        path = tmp_path / "test.yml"
        path.write_text(json.dumps(test))
        done = subprocess.run([str(PROMTOOL), "test", "rules", str(path)], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
