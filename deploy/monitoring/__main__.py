"""Write the Prometheus rules, the Grafana boards and the runbooks page: ``python -m deploy.monitoring [--check]``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from deploy.monitoring.boards import BOARDS
from deploy.monitoring.boards import document as board_document
from deploy.monitoring.rules import document as rules_document
from deploy.monitoring.runbooks import page

DEPLOY = Path(__file__).resolve().parent.parent
HEAD = "# Written by `python -m deploy.monitoring`; change deploy/monitoring/rules.py instead. (JSON is YAML.)\n"


def files() -> Iterator[tuple[Path, str]]:
    """Every file and what is in it."""
    yield DEPLOY / "prometheus" / "rules.yml", HEAD + json.dumps(rules_document(), indent=2) + "\n"
    yield DEPLOY / "dashboard" / "static" / "runbooks.html", page()
    for board in BOARDS:
        text = json.dumps(board_document(board), indent=2) + "\n"
        yield DEPLOY / "grafana" / "boards" / f"{board.uid}.json", text


def main() -> int:
    """Write what differs; with ``--check`` name it instead, and end with 1."""
    differing = [
        (path, text) for path, text in files() if not path.is_file() or path.read_text() != text
    ]
    if "--check" in sys.argv[1:]:
        for path, _ in differing:
            print(
                f"{path.relative_to(DEPLOY.parent)} is not what the code says; run python -m deploy.monitoring"
            )
        return 1 if differing else 0
    for path, text in differing:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        print(f"wrote {path.relative_to(DEPLOY.parent)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
