"""Histories that make every detector speak, for tests that the same input gives the same tables however it is read.

Each is a function of its arguments, in the order of event time, and says what it holds. ``SETTINGS`` lets its alerts fire.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

Json = dict[str, Any]

SETTINGS: Json = {
    "budgets": [
        {"name": "tenant-day", "by": "tenant", "limit": "0.05", "window": "day"},
        {"name": "user-hour", "by": "user", "limit": "0.02", "window": "rolling 1h", "severity": "ticket"},
    ],
    "limits": [{"name": "fast", "by": "user", "limit": 25, "per": "1m"}],
    "switches": [
        {"on": "BudgetExhausted", "action": "throttle", "limit": 5.0, "scope": "tenant:{tenant}", "expires": "80000h"},
        {"on": ["ErrorRate", "RunawayLoop"], "action": "throttle", "limit": 1.0, "scope": "feature:{feature}", "expires": "80000h",
         "restore_on_resolve": True},
    ],
    "labels": {"enabled": True, "gap": 120.0, "judged_after": 60.0},
}  # fmt: skip
"""Of the tables of mirante.toml."""


class Written(NamedTuple):
    """An event, the moment at which it happens (epoch seconds), its topic without prefix and its key."""

    time: float
    topic: str
    event: Json
    key: str | None


STYLES = {
    "plain": "Of course. You will find it in the settings of your account, under {topic}; it takes a minute or so, and nothing is lost.",
    "lists": "**{topic}**\n\n- Open settings\n- Choose {topic}\n- Press save\n\n> Done! Let me know whether that helped.",
}
TOPICS = ("invoices", "orders", "delivery", "returns", "passwords", "addresses", "vouchers", "taxes")
QUESTIONS = ("where are my {topic}?", "how do I change {topic}?", "please explain {topic} to me", "why did my {topic} change?")


def incidents(begin: float, *, minutes: float = 80.0, calls: int = 4_800, seed: int = 1) -> list[Written]:
    """An orderly history: two tenants and three features; an outage, refusals, dear answers, a change of style, silence of a feature,
    a user in a hurry, a session that loops, slow and missing answers, thumbs, scores, wrong keys and repeats."""
    chance = random.Random(seed)
    span = minutes * 60.0
    written: list[Written] = []
    for n in range(calls):
        share, at = n / calls, begin + span * n / calls
        written += _call(f"c{n:06}", n, at, share, chance)
    for n in range(60):  # a user in a hurry, whose session asks the same again and again
        at = begin + 0.7 * span + 0.5 * n
        written += _pair(f"loop{n:03}", at, 0.4, session="looping", user="hasty", feature="search", question="go on", answer="...")
    return sorted(written, key=lambda item: item.time)


def traced(path: Path, begin: float, *, calls: int = 6_000) -> list[Written]:
    """The first calls of a trace of the Azure LLM inference traces of 2023 (a CSV of moment, tokens in and tokens out), moved to ``begin``:
    when they came and how large they were is recorded, who made them and what was said is not. In the middle answers cost ten
    times as much, later a feature fails, then one falls silent."""
    chance, written = random.Random(7), list[Written]()
    with path.open() as lines:
        next(lines)
        rows = [line.strip().split(",") for _, line in zip(range(calls), lines, strict=False)]
    first = datetime.fromisoformat(rows[0][0][:26])
    for n, (stamp, asked, answered) in enumerate(rows):
        at, share = begin + (datetime.fromisoformat(stamp[:26]) - first).total_seconds(), n / len(rows)
        feature = ("code", "chat")[n % 5 == 0]
        if feature == "chat" and share > 0.85:
            continue
        fails = feature == "code" and 0.65 < share < 0.75
        fields = {"status": "error", "error": {"type": "server_error", "code": "500"}, "finish_reason": None} if fails else {}
        tokens = int(answered) * (10 if 0.4 < share < 0.55 else 1)
        topic = chance.choice(TOPICS)
        written += _pair(
            f"t{n:06}", at, 0.3 + int(answered) * 0.02, session=f"s{n // 4}", user=f"u{n % 23}", feature=feature, key=f"s{n // 4}",
            question=chance.choice(QUESTIONS).format(topic=topic), answer="" if fails else STYLES["plain"].format(topic=topic),
            tokens=tokens, asked=int(asked), lost=n % 301 == 7, **fields,
        )  # fmt: skip
    return sorted(written, key=lambda item: item.time)


def _call(name: str, n: int, at: float, share: float, chance: random.Random) -> Iterator[Written]:
    feature = ("support", "search", "faq")[n % 3]
    session, user, tenant = f"s{n // 6}", f"u{n % 17}", "zeta" if feature == "support" and n // 6 % 2 else "acme"
    topic, latency = chance.choice(TOPICS), chance.uniform(0.5, 3.0)
    question = chance.choice(QUESTIONS).format(topic=topic)
    style = "lists" if feature == "support" and share > 0.55 else "plain"
    answer, output_tokens, fields = STYLES[style].format(topic=topic), chance.randint(40, 90), Json()
    if feature == "faq" and share > 0.8:
        return  # it falls silent
    if 0.3 < share < 0.4 and feature == "search":
        fields |= {"status": "error", "error": {"type": "server_error", "code": "500"}, "finish_reason": None}
        answer = ""
    if 0.42 < share < 0.55 and feature == "faq":
        answer = "I'm sorry, but I can't help with that."
    if 0.58 < share < 0.68 and feature == "search":
        output_tokens *= 40
    if n % 97 == 5:
        latency = 75.0  # after it was given up
    yield from _pair(
        name, at, latency, session=session, user=user, tenant=tenant, feature=feature, question=question, answer=answer,
        tokens=output_tokens, lost=n % 89 == 7, key="elsewhere" if n % 41 == 0 else session, again=n % 30 == 0, **fields,
    )  # fmt: skip
    if n % 5 == 0:
        thumb = "thumbs_down" if feature == "support" and share > 0.5 else "thumbs_up"
        said = {"event_id": f"f-{name}", "time": moment(at + latency + 4), "kind": thumb, "response_id": f"r-{name}", "tenant": tenant}
        yield Written(at + latency + 4, "feedback", said | ({"session_id": session} if n % 3 else {}), session)
    if n % 4 == 0:
        score = {"event_id": f"e-{name}", "time": moment(at + latency + 9), "name": "helpful", "response_id": f"r-{name}",
                 "score": 0.2 if share > 0.7 else 0.9}  # fmt: skip
        yield Written(at + latency + 9, "evaluations", score, f"r-{name}")


def _pair(
    name: str, at: float, latency: float, *, session: str, user: str, feature: str, question: str, answer: str, tenant: str = "acme",
    tokens: int = 50, asked: int = 400, lost: bool = False, key: str | None = None, again: bool = False, **fields: Any,
) -> Iterator[Written]:  # fmt: skip
    question_event = {
        "event_id": f"q-{name}", "time": moment(at), "request_id": name, "session_id": session, "user_id": user, "tenant": tenant,
        "feature": feature, "provider": "openai", "model": "gpt-4o-mini", "operation": "chat", "timeout_ms": 20_000,
        "messages": [{"role": "user", "content": question}],
    }  # fmt: skip
    yield Written(at, "requests", question_event, key or session)
    if again:
        yield Written(at + 0.2, "requests", question_event, session)
    if not lost:
        said = {
            "event_id": f"a-{name}", "time": moment(at + latency), "request_id": name, "response_id": f"r-{name}", "session_id": session,
            "tenant": tenant, "status": "ok", "finish_reason": "stop", "output": answer, "latency_ms": 1_000 * latency, "ttft_ms": 200.0,
            "usage": {"input_tokens": asked, "output_tokens": tokens}, **fields,
        }  # fmt: skip
        yield Written(at + latency, "responses", said, session)


def moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
