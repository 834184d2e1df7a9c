"""A talk as the tables have it: its first answer was disliked, the question was asked again, and that answer was liked."""

from __future__ import annotations

from pathlib import Path

from deploy.export.build import Kind, Style, build
from deploy.export.exchange import ChatMessage, Exchange, Selection
from deploy.export.files import FileFormat, write

DISLIKED, LIKED = "Look it up yourself.", "It leaves at nine {{today}}."


def _turn(n: int, label: str, score: float, messages: tuple[ChatMessage, ...], output: str, again: tuple[str, ...]) -> Exchange:
    return Exchange(
        response_id=f"a{n}", request_event_id=f"q{n}", session="s", tenant="acme", feature="trains", model="m", prompt_sha="",
        time=f"2026-03-01 12:00:0{n}.000", label=label, score=score, explicit=True, signals=(), asked_again=again, messages=messages,
        output=output, outcome="ok",
    )  # fmt: skip


def talk() -> list[Exchange]:
    """Two turns of one session, in the order of time."""
    asked = (ChatMessage("system", "You know trains."), ChatMessage("user", "When does the train leave?"))
    again = (*asked, ChatMessage("assistant", DISLIKED), ChatMessage("user", "When does it leave, please?"))
    return [_turn(1, "negative", 0.1, asked, DISLIKED, ("q2",)), _turn(2, "positive", 0.9, again, LIKED, ())]


def export(folder: Path, kind: Kind, style: Style, form: FileFormat = "jsonl") -> Path:
    """Write what ``mirante export`` makes of the talk; one split, ``test``."""
    built = build(kind, style, talk(), Selection(), {"test": 1.0})
    write(folder, kind, style, form, Selection(), built, force=False)
    built.close()
    return folder
