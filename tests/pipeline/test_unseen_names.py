"""Given a name that nobody has ever seen, when an operator acts on it, then it is done, and it is told what is similar."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.installation import Installation, Sent, request, response, unique

UNSEEN = "note: no call of feature '{typo}' was ever seen; similar: {name}"
NO_ALERT = "note: no alert is called 'CostAnomly'; similar: CostAnomaly, WatchAnomaly"


@pytest.mark.parametrize(
    ("command", "done", "told"),
    [
        (["kill", "feature:{typo}", "--reason", "x"], "feature:{typo} is killed", UNSEEN),
        (["kill", "user:{typo}", "--reason", "x"], "user:{typo} is killed", "note: no call of user '{typo}' was ever seen"),
        (["kill", "feature:{name}", "--reason", "x"], "feature:{name} is killed", ""),
        (["drift", "accept", "--feature", "{typo}", "--reason", "x"], "accepted", UNSEEN),
        (["silence", "feature={typo}", "--for", "1m"], "silenced until", UNSEEN),
        (["silence", "alertname=CostAnomly", "--for", "1m"], "silenced until", NO_ALERT),
        (["silence", "featur=a", "--for", "1m"], "silenced until", "note: no alert ever had a label 'featur'; similar: feature"),
        (["silence", "feature={name}", "alertname=Cost*", "--for", "1m"], "silenced until", ""),
    ],
)  # fmt: skip
def test_what_was_never_seen_is_told_and_done(
    mirante: Installation, command: list[str], done: str, told: str
) -> None:
    name = _seen(mirante)
    typo = name[:3] + name[4:]
    words = {"name": name, "typo": typo}
    ended = subprocess.run(
        [sys.executable, "-m", "deploy.cli", *(part.format(**words) for part in command), "--data", "no-such-stack"],
        capture_output=True, text=True, env=mirante.environment(0), timeout=60, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert done.format(**words) in ended.stdout
    assert ended.stderr.strip() == told.format(**words)


_SEEN: dict[int, str] = {}


def _seen(mirante: Installation) -> str:
    """A feature of which a call was counted."""
    if id(mirante) not in _SEEN:
        name, call = unique("reembolso"), unique("call")
        mirante.publish(
            [
                Sent("requests", request(call, feature=name), key=call),
                Sent("responses", response(call), key=call),
            ]
        )
        mirante.eventually(
            "SELECT count() > 0 FROM mirante.cost_windows WHERE feature = {name:String}",
            [(1,)],
            name=name,
        )
        _SEEN[id(mirante)] = name
    return _SEEN[id(mirante)]
