"""From labelled exchanges to examples: regression cases, preference pairs, chats to imitate.

Deduplicated, split by session, in a fixed order.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from streams.export.exchange import ChatMessage, Exchange, Selection

Kind = Literal["regression", "preference", "sft"]
Style = Literal["promptfoo", "openai-evals", "trl"]

_TAG = re.compile(r"<([A-Z][A-Z_]*):\d+>")
_DIALOGUE = frozenset({"system", "developer", "user", "assistant"})


class Example(NamedTuple):
    """``key``: what it is about, the same for what would be a duplicate; of duplicates the one with the largest ``sure`` stays."""

    key: str
    sure: float
    exchange: Exchange
    value: dict[str, Any]


class Built(NamedTuple):
    """``splits``: name -> examples in the order of (time, response_id). ``found``: before duplicates were dropped."""

    splits: dict[str, list[dict[str, Any]]]
    found: int
    used: list[Exchange]


def build(kind: Kind, style: Style, exchanges: Sequence[Exchange], selection: Selection, splits: Mapping[str, float]) -> Built:
    """``splits``: name -> share of sessions; shares add up to one."""
    make = {"regression": regression, "preference": preference, "sft": imitation}[kind]
    found = list(make(exchanges, selection, style))
    best: dict[str, Example] = {}
    for example in found:
        known = best.get(example.key)
        if known is None or (-example.sure, example.exchange.response_id) < (-known.sure, known.exchange.response_id):
            best[example.key] = example
    kept = sorted(best.values(), key=lambda example: (example.exchange.time, example.exchange.response_id, example.key))
    parts: dict[str, list[dict[str, Any]]] = {name: [] for name in splits}
    for example in kept:
        parts[split_of(example.exchange, splits)].append(example.value)
    return Built(parts, len(found), [example.exchange for example in kept])


def split_of(exchange: Exchange, splits: Mapping[str, float]) -> str:
    """The split of a session: by hash, so it stays when the selection or the data grow. A session is in one split only."""
    digest = hashlib.blake2b(f"{exchange.tenant}\0{exchange.session}".encode(), digest_size=8).digest()
    at, reached = int.from_bytes(digest, "big") / 2**64, 0.0
    for name, share in splits.items():
        reached += share
        if at < reached:
            return name
    return name


# Regression: what users did not accept, as tests that the next prompt or model must pass


def regression(exchanges: Sequence[Exchange], selection: Selection, style: Style) -> Iterable[Example]:
    accepted = {again.response_id: better for again, better in _improved(exchanges, selection)}
    for exchange in exchanges:
        if _negative(exchange, selection) and _usable(exchange):
            better = accepted.get(exchange.response_id)
            form: Callable[[Exchange, Exchange | None], dict[str, Any]] = _evals if style == "openai-evals" else _promptfoo
            yield Example(_key(*exchange.messages), 1 - exchange.score, exchange, form(exchange, better))


def _criterion(exchange: Exchange, better: Exchange | None) -> str:
    """What a grader is asked."""
    parts = ["The answer does what the user asked for in their last message."]
    if exchange.output:
        parts.append(f"An earlier answer did not satisfy them, and must not be given again: {_short(exchange.output)!r}.")
    if better is not None:
        parts.append(f"This one did, it may be worded differently: {_short(better.output)!r}.")
    return " ".join(parts)


def _promptfoo(exchange: Exchange, better: Exchange | None) -> dict[str, Any]:
    """A promptfoo test case (promptfoo.dev, "Test cases").

    ``messages`` is JSON text for a prompt ``{{messages}}``: a list would be taken for several cases. What begins a template is
    escaped, because promptfoo renders variables as templates.
    """
    checks = [{"type": "llm-rubric", "value": _untemplated(_criterion(exchange, better))}]
    if exchange.output:
        checks.append({"type": "not-equals", "value": _untemplated(exchange.output)})
    messages = json.dumps([_plain(m) for m in exchange.messages], ensure_ascii=False)
    return {
        "description": _untemplated(f"{exchange.feature or 'call'}: {_short(exchange.question, 80)}"),
        "vars": {"messages": messages.replace("{{", "{\\u007b").replace("{%", "{\\u0025").replace("{#", "{\\u0023")},
        "assert": checks,
        "metadata": _metadata(exchange),
    }


def _evals(exchange: Exchange, better: Exchange | None) -> dict[str, Any]:
    """A sample of openai/evals: ``input`` and ``criteria`` as its model-graded closedqa takes them, ``ideal`` where a later answer was
    accepted, else empty."""
    return {
        "input": [_plain(m) for m in exchange.messages],
        "ideal": "" if better is None else better.output,
        "criteria": _criterion(exchange, better),
        "metadata": _metadata(exchange),
    }


# Preference: the answer before a repetition against the one that was accepted


def preference(exchanges: Sequence[Exchange], selection: Selection, style: Style) -> Iterable[Example]:
    """Pairs for DPO in TRL's conversational format with an explicit prompt."""
    for rejected, chosen in _improved(exchanges, selection):
        if _usable(rejected) and rejected.output and rejected.output != chosen.output:
            value = {
                "prompt": [_plain(m) for m in rejected.messages],
                "chosen": [{"role": "assistant", "content": chosen.output}],
                "rejected": [{"role": "assistant", "content": rejected.output}],
                "metadata": {
                    **_metadata(rejected),
                    "chosen_response_id": chosen.response_id,
                    "chosen_model": chosen.model,
                    "chosen_score": chosen.score,
                },
            }
            key = _key(*rejected.messages, ChatMessage("", chosen.output), ChatMessage("", rejected.output))
            yield Example(key, chosen.score - rejected.score, rejected, value)


def _improved(exchanges: Sequence[Exchange], selection: Selection) -> Iterable[tuple[Exchange, Exchange]]:
    """(not accepted, accepted): an answer whose question was asked again, or that was generated again, and what was accepted in the end."""
    sessions: dict[tuple[str, str], list[Exchange]] = {}
    for exchange in exchanges:
        sessions.setdefault((exchange.tenant, exchange.session), []).append(exchange)
    for turns in sessions.values():
        by_event = {turn.request_event_id: at for at, turn in enumerate(turns)}
        for at, turn in enumerate(turns):
            following, seen = _again(turns, at, by_event), {at}
            while following is not None and following not in seen:
                if _positive(turns[following], selection) and turns[following].output:
                    if not _positive(turn, selection):
                        yield turn, turns[following]
                    break
                seen.add(following)
                following = _again(turns, following, by_event)


def _again(turns: Sequence[Exchange], at: int, by_event: Mapping[str, int]) -> int | None:
    """Where the question of a turn was put again."""
    turn = turns[at]
    for event_id in turn.asked_again:
        if event_id in by_event:
            return by_event[event_id]
    if "regenerate" in turn.signals:
        same = (n for n in range(at + 1, len(turns)) if _normal(turns[n].question) == _normal(turn.question))
        return next(same, None)
    return None


# Chats to imitate


def imitation(exchanges: Sequence[Exchange], selection: Selection, style: Style) -> Iterable[Example]:
    """Chats with an answer that satisfied, as chat fine-tuning takes them."""
    for exchange in exchanges:
        if _positive(exchange, selection) and _usable(exchange) and exchange.output and exchange.outcome == "ok":
            messages = [*exchange.messages, ChatMessage("assistant", exchange.output)]
            value = {"messages": [_plain(m) for m in messages], "metadata": _metadata(exchange)}
            yield Example(_key(*exchange.messages), exchange.score, exchange, value)


# Common


def _positive(exchange: Exchange, selection: Selection) -> bool:
    return exchange.label == "positive" and exchange.score >= selection.confidence and (exchange.explicit or not selection.explicit)


def _negative(exchange: Exchange, selection: Selection) -> bool:
    return exchange.label == "negative" and 1 - exchange.score >= selection.confidence and (exchange.explicit or not selection.explicit)


def _usable(exchange: Exchange) -> bool:
    """Whether a model can be asked the same again: a dialogue that ends with the user, without tools."""
    roles = [message.role for message in exchange.messages]
    return bool(roles) and roles[-1] == "user" and bool(exchange.question.strip()) and _DIALOGUE.issuperset(roles)


def _metadata(exchange: Exchange) -> dict[str, Any]:
    return {
        "response_id": exchange.response_id, "tenant": exchange.tenant, "feature": exchange.feature, "model": exchange.model,
        "prompt_sha": exchange.prompt_sha, "time": exchange.time, "score": exchange.score, "explicit": exchange.explicit,
        "signals": ", ".join(exchange.signals),
    }  # fmt: skip


def _plain(message: ChatMessage) -> dict[str, str]:
    return {"role": message.role, "content": message.content}


def _key(*messages: ChatMessage) -> str:
    """The same for texts that differ in case, spaces and the numbers of masked data only."""
    text = "\0".join(f"{message.role}\1{_normal(message.content)}" for message in messages)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _normal(text: str) -> str:
    return " ".join(_TAG.sub(r"<\1>", text).casefold().split())


def _short(text: str, most: int = 1_000) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 1] + "…"


def _untemplated(text: str) -> str:
    """Text that promptfoo takes as it is: without what begins a template."""
    return re.sub(r"\{(?=[{%#])", "{ ", text)
