"""Wrong usage of the commands for switches and silences is told before anything is sent."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from deploy.cli.app import app


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("kill", "team:x", "--reason", "r"), "not a scope"),
        (("kill", "global"), "--reason"),
        (("kill", "global", "--reason", " "), "say why"),
        (("kill", "global", "--reason", "r", "--expires", "soon"), "not a duration"),
        (("kill", "global", "--reason", "r", "--throttle", "-1"), "--throttle"),
        (("restore", "feature:", "--reason", "r"), "not a scope"),
        (("silence", "--for", "1h"), "at least one"),
        (("silence", "feature=x"), "say how long"),
        (("silence", "feature=x", "--for", "1h", "--remove", "i"), "the id alone"),
    ],
)
def test_given_wrong_usage_then_status_2_and_what_to_write(arguments: tuple[str, ...], says: str) -> None:
    answer = CliRunner().invoke(app, arguments)
    assert answer.exit_code == 2
    assert says in " ".join(answer.output.replace("│", " ").split())
