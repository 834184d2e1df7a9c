"""Grafana boards are of the types that Grafana publishes (@grafana/schema on npm). `make grafana-types` installs them."""

from __future__ import annotations

import copy
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from deploy.monitoring.boards import BOARDS, document

TYPES = Path(__file__).resolve().parents[1] / "grafana"
COMPILER = TYPES / "node_modules/.bin/tsc"
OPTIONS = ("--noEmit", "--strict", "--skipLibCheck", "--module", "esnext", "--moduleResolution", "bundler", "--target", "es2022")

pytestmark = pytest.mark.skipif(not COMPILER.exists(), reason="Grafana's types are not installed: make grafana-types")


def refusals(tmp_path: Path, boards: list[Any]) -> list[str]:
    """What TypeScript has against these boards."""
    lines = [f'import type {{ Board, Curve }} from "{TYPES / "plain"}";']
    for n, board in enumerate(boards):
        lines.append(f"export const board{n}: Board = {json.dumps(board)};")
        curves = [panel for panel in board["panels"] if panel["type"] == "timeseries"]
        customs = [panel["fieldConfig"]["defaults"]["custom"] for panel in curves]
        lines.append(f"export const curves{n}: Curve[] = {json.dumps(customs)};")
    source = tmp_path / "boards.ts"
    source.write_text("\n".join(lines), "utf-8")
    done = subprocess.run([str(COMPILER), *OPTIONS, str(source)], capture_output=True, text=True, check=False)
    return done.stdout.splitlines()


def test_grafana_accepts_the_boards(tmp_path: Path) -> None:
    assert refusals(tmp_path, [document(board) for board in BOARDS]) == []


def test_what_grafana_does_not_know_is_refused(tmp_path: Path) -> None:
    """Otherwise the test above could not fail."""
    sound = document(BOARDS[0])
    damaged = [copy.deepcopy(sound) for _ in range(5)]
    damaged[0]["panels"][0]["gridPos"]["x"] = "0"
    damaged[1]["templating"]["list"][0]["type"] = "question"
    damaged[2]["grapTooltip"] = 1
    del damaged[3]["schemaVersion"]
    next(panel for panel in damaged[4]["panels"] if panel["type"] == "timeseries")["fieldConfig"]["defaults"]["custom"][
        "drawStyle"
    ] = "curve"
    assert [bool(refusals(tmp_path, [board])) for board in damaged] == [True] * 5
