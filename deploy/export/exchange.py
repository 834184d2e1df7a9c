"""What is exported from: answers with their labels, read from the public tables and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec

from schemas.texts import text_of

_decode_json = msgspec.json.Decoder().decode

Query = Callable[[str], Iterable[dict[str, Any]]]
"""SQL -> rows, with times as text."""


class ChatMessage(msgspec.Struct, frozen=True, gc=False):
    role: str
    content: str


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Which answers. ``confidence``: least probability that the label is right; ``since``, ``until`` (exclusive): when they were given."""

    confidence: float = 0.7
    since: datetime | None = None
    until: datetime | None = None
    tenants: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    explicit: bool = False
    """Only where the user said so."""
    provisional: bool = False
    """Also labels of sessions that go on; ``build`` counts those it leaves out."""


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """An answer, what it answered, and its label. ``asked_again``: events of later turns that asked the same again."""

    response_id: str
    request_event_id: str
    session: str
    tenant: str
    feature: str
    model: str
    prompt_sha: str
    time: str
    label: str
    score: float
    explicit: bool
    signals: tuple[str, ...]
    final: bool = True
    """Whether the session has ended, so that the label stays."""
    asked_again: tuple[str, ...]
    messages: tuple[ChatMessage, ...]
    """With the system's instructions; the last is the user's."""
    output: str
    outcome: str

    @property
    def question(self) -> str:
        """The last message before the answer; empty if there is none."""
        return self.messages[-1].content if self.messages else ""


def sql_of(selection: Selection) -> str:
    """All answers of the sessions that have a selected label: pairs need what came before and after."""
    where = ["1"]
    if selection.since is not None:
        where.append(f"time >= {_moment(selection.since)}")
    if selection.until is not None:
        where.append(f"time < {_moment(selection.until)}")
    for column, values in (("tenant", selection.tenants), ("feature", selection.features)):
        if values:
            where.append(f"{column} IN ({', '.join(map(_text, values))})")
    labels = f"SELECT * FROM labels WHERE {' AND '.join(where)}"
    # The answers' times are not those of their requests, so the other side is not cut by time.
    calls = [f"{name} IN ({', '.join(map(_text, values))})" for name, values in (("tenant", selection.tenants),) if values] or ["1"]
    return (
        "SELECT l.response_id AS response_id, i.request_event_id AS request_event_id, l.tenant AS tenant, "
        "if(l.session_id = '', l.request_id, l.session_id) AS session, l.feature AS feature, i.model AS model, "
        "i.prompt_sha AS prompt_sha, toString(l.time) AS moment, l.label AS label, l.score AS score, l.explicit AS explicit, "
        "l.final AS final, l.signals AS signals, i.system_instructions AS system_instructions, i.messages AS messages, "
        f"i.output AS output, i.outcome AS outcome FROM ({labels}) AS l INNER JOIN (SELECT * FROM interactions WHERE {calls[0]} "
        "AND response_id != '') AS i ON l.request_id = i.request_id AND l.tenant = i.tenant "
        "ORDER BY tenant, session, l.time, l.response_id"
    )


def read(query: Query, selection: Selection) -> Iterator[Exchange]:
    """The exchanges, session by session, in the order of (time, response_id), those with provisional labels too."""
    return map(_exchange, query(sql_of(selection)))


def _exchange(row: dict[str, Any]) -> Exchange:
    signals = _decode_json(row["signals"])
    again = tuple(s["event_id"] for s in signals if s["kind"] == "reformulation" and s.get("event_id"))
    return Exchange(
        response_id=row["response_id"], request_event_id=row["request_event_id"], session=row["session"], tenant=row["tenant"],
        feature=row["feature"], model=row["model"], prompt_sha=row["prompt_sha"], time=row["moment"], label=row["label"],
        score=float(row["score"]), explicit=bool(row["explicit"]), final=bool(row["final"]),
        signals=tuple(sorted({s["kind"] for s in signals})), asked_again=again,
        messages=tuple(_messages(row["system_instructions"], _decode_json(row["messages"]))), output=row["output"], outcome=row["outcome"],
    )  # fmt: skip


def _messages(instructions: str, messages: Sequence[dict[str, Any]]) -> Iterable[ChatMessage]:
    if instructions and not (messages and messages[0].get("role") == "system"):
        yield ChatMessage("system", instructions)
    for message in messages:
        yield ChatMessage(message.get("role") or "user", text_of(message.get("content")))


def _text(value: str) -> str:
    """A string literal of ClickHouse."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _moment(time: datetime) -> str:
    return f"parseDateTime64BestEffort({_text(time.isoformat())}, 3, 'UTC')"
