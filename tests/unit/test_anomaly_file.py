"""`mirante anomaly`: a file goes in, a score for each row comes out."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from deploy.cli.anomaly import scored, seconds
from deploy.cli.app import app


def written(path: Path, rows: list[tuple[str, str]]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("timestamp", "value"), *rows])
    return path


def machine(path: Path) -> Path:
    """Five days of a temperature in steps of five minutes, which jumps in the last hour."""
    values = np.random.default_rng(2).normal(80, 1, 1_440)
    values[-12:] += 40
    return written(path, [(str(300 * number), f"{value:.3f}") for number, value in enumerate(values)])


def test_what_is_odd_has_a_score_of_a_half_or_more_and_the_rest_has_not(tmp_path: Path) -> None:
    out = tmp_path / "scored.csv"
    done = CliRunner().invoke(app, ["anomaly", str(machine(tmp_path / "machine.csv")), "--out", str(out)])
    assert done.exit_code == 0 and "1440 rows scored" in done.stdout
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    scores = [float(row["anomaly_score"]) for row in rows]
    assert list(rows[0]) == ["timestamp", "value", "anomaly_score"]
    assert max(scores[-12:]) >= 0.5
    assert sum(score >= 0.5 for score in scores[:-12]) <= 4
    assert all(0.0 <= score <= 1.0 for score in scores)


def test_without_a_file_to_write_the_most_unusual_rows_are_shown(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["anomaly", str(machine(tmp_path / "machine.csv"))])
    assert done.exit_code == 0
    assert done.stdout.startswith("1440 rows; the most unusual")
    assert any(int(line.split()[0]) >= 300 * 1_428 for line in done.stdout.splitlines()[1:])


def test_a_row_is_scored_before_the_next_one_is_read(tmp_path: Path) -> None:
    path = machine(tmp_path / "machine.csv")
    whole = [row.score for row in scored(path)]
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:701]))
    assert [row.score for row in scored(path)] == whole[:700]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1700000000", 1.7e9), ("2023-11-14 22:13:20", 1.7e9), ("2023-11-14T22:13:20Z", 1.7e9), ("2023-11-14T19:13:20-03:00", 1.7e9)],
)
def test_times_are_seconds_or_iso_and_utc_where_they_name_no_zone(text: str, expected: float) -> None:
    assert seconds(text) == expected


def test_a_gap_is_none_and_what_is_no_number_is_named_by_its_line(tmp_path: Path) -> None:
    gap = written(tmp_path / "gap.csv", [("0", "1"), ("300", ""), ("600", "1")])
    assert len(list(scored(gap))) == 3
    with pytest.raises(ValueError, match="line 3"):
        list(scored(written(tmp_path / "bad.csv", [("0", "1"), ("300", "many")])))
    (tmp_path / "other.csv").write_text("timestamp,temperature\n0,1\n")
    with pytest.raises(ValueError, match="value is not there"):
        list(scored(tmp_path / "other.csv"))
