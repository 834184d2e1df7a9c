"""What ``mirante doctor`` says of the clocks of services, from the metrics of several workers."""

from __future__ import annotations

import msgspec

from agents.interactions.skew import OTHERS, Skews, who
from deploy.cli.doctor_clocks import skews
from schemas.decoding import decode_request_with_unknown
from streams.effects import Effects
from streams.metrics import Metrics
from tests.unit.builders import request


def asked(**fields: object) -> str:
    return who(decode_request_with_unknown(msgspec.json.encode(request(1, **fields)))[0])


def exposition(*counts: tuple[str, str, int]) -> str:
    metrics, effects = Metrics(), Effects()
    for name, feature, count in counts:
        effects.count(name, feature, count)  # type: ignore[arg-type]
    metrics.applied(effects)
    return metrics.render().decode()


def test_each_service_has_a_line_that_says_how_far_and_how_often_over_all_workers() -> None:
    first = exposition(
        ("clock_ahead", "chat", 10), ("clock_ahead_seconds", "chat", 36_000),
        ("clock_behind", "acme/search", 3), ("clock_behind_seconds", "acme/search", 3 * 86_400),
    )  # fmt: skip
    second = exposition(("clock_ahead", "chat", 30), ("clock_ahead_seconds", "chat", 108_000))
    assert [str(skew) for skew in skews([first, second])] == [
        "feature search of tenant acme: its clock is 24.0 h behind (3 calls)",
        "feature chat: its clock is 1.0 h ahead (40 calls)",
    ]


def test_workers_that_saw_nothing_wrong_give_no_line() -> None:
    assert skews([exposition(("late", "requests", 5))]) == []


def test_a_service_is_its_feature_with_the_tenant_where_there_are_several() -> None:
    assert asked(feature="chat") == "chat"
    assert asked(feature="chat", tenant="acme") == "acme/chat"
    assert asked(feature=None) == "(no feature)"


def test_the_labels_are_bounded() -> None:
    followed, effects = Skews(), Effects()
    for n in range(500):
        followed.ahead(f"feature-{n}", 3_600.0, effects)
    labels = {label for name, label in effects.counts if name == "clock_ahead"}
    assert len(labels) == 101 and OTHERS in labels
    assert effects.counts["clock_ahead", OTHERS] == 400
