"""The examples of `sdk/src/mirante/controls_vectors.json`, which clients in every language are held
to, by the server's own fold.
"""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from agents.controls.fold import ControlError, Controls

VECTORS = json.loads(
    (Path(__file__).parents[2] / "sdk/src/mirante/controls_vectors.json").read_bytes()
)["cases"]


@pytest.mark.parametrize("case", VECTORS, ids=lambda case: case["name"])
def test_the_server_decides_as_the_examples_say(case: dict[str, Any]) -> None:
    controls = Controls()
    for record in case["records"]:
        key = None if record["key"] is None else record["key"].encode()
        value = None if record["value"] is None else json.dumps(record["value"]).encode()
        try:
            controls.record(key, value)
        except ControlError:
            continue  # a record that is no control changes nothing
    decision = controls.decide(
        datetime.fromisoformat(case["now"].replace("Z", "+00:00")), **case["call"]
    )
    assert decision.action == case["decision"]
    assert decision.scope == case.get("scope", "")
    assert decision.limit == case.get("limit")
