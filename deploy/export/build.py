"""From labelled exchanges to examples: regression cases, preference pairs, answers to imitate.

Deduplicated, split by session, in a fixed order, and never all in memory: exchanges come session by session, and examples go to a
temporary file.
"""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Literal, NamedTuple

from deploy.export.exchange import ChatMessage, Exchange, Selection

Kind = Literal["regression", "preference", "sft"]
Style = Literal["promptfoo", "openai-evals", "trl"]

_TAG = re.compile(r"<([A-Z][A-Z_]*):\d+>")
_DIALOGUE = frozenset({"system", "developer", "user", "assistant"})


class ExportedExample(NamedTuple):
    """``key``: what it is about, the same for what would be a duplicate; of duplicates the one with the largest ``sure`` stays."""

    key: str
    sure: float
    exchange: Exchange
    value: dict[str, Any]


class Tally(NamedTuple):
    """What the examples are of: how many of each feature, model and signal, and the first and last moment."""

    features: Counter[str]
    models: Counter[str]
    signals: Counter[str]
    first: str
    last: str


class Built:
    """Examples by split, in a temporary file that SQLite keeps (its name is '') and removes. ``found``: before duplicates were dropped;
    ``labels``: that were looked at; ``provisional``: that were not, because their sessions may go on."""

    def __init__(self, splits: Mapping[str, float]) -> None:
        """``splits``: name -> share of sessions; shares add up to one."""
        self.splits = splits
        self.found = 0
        self.labels = 0
        self.provisional = 0
        self._file = sqlite3.connect("", isolation_level=None)
        self._file.execute(
            "CREATE TABLE examples (key TEXT PRIMARY KEY, unsure REAL, response_id TEXT, time TEXT, split TEXT, feature TEXT, model TEXT, "
            "signals TEXT, value TEXT) WITHOUT ROWID"
        )
        self._file.execute("BEGIN")

    def add(self, example: ExportedExample) -> None:
        """Of duplicates one stays of which the user said so, then the surest, then the one with the
        smallest ``response_id``."""
        self.found += 1
        of, value = example.exchange, json.dumps(example.value, ensure_ascii=False)
        self._file.execute(
            "INSERT OR REPLACE INTO examples SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9 "
            "WHERE NOT EXISTS (SELECT 1 FROM examples WHERE key = ?1 AND (unsure, response_id) <= (?2, ?3))",
            (
                example.key, -(of.explicit + example.sure), of.response_id, of.time, split_of(of, self.splits), of.feature, of.model,
                json.dumps(of.signals), value,
            ),
        )  # fmt: skip

    def lines(self, split: str) -> Iterator[str]:
        """The examples as JSON, in the order of (time, response_id)."""
        found = self._file.execute("SELECT value FROM examples WHERE split = ? ORDER BY time, response_id, key", (split,))
        return (value for (value,) in found)

    def counts(self) -> dict[str, int]:
        """Examples per split."""
        counted = dict(self._file.execute("SELECT split, count(*) FROM examples GROUP BY split"))
        return {split: counted.get(split, 0) for split in self.splits}

    def close(self) -> None:
        self._file.close()

    def unfinished(self) -> str:
        """What to do about provisional labels; '' if there are none."""
        if not self.provisional:
            return ""
        what = "More labels are" if self.labels else "All labels found are"
        return (
            f"{what} provisional ({self.provisional:,}), and left out: their sessions may go on. A label is final once later events show "
            "its session quiet for labels.gap (30 minutes unless set). Export again then, or take them as they are with --provisional."
        )

    def nothing(self) -> str:
        """Why there is no example, and what to do."""
        found = "Nothing was found; widen the selection or lower --confidence." if self.labels or not self.provisional else ""
        return " ".join(filter(None, (found, self.unfinished())))

    def tally(self) -> Tally:
        """What the data set holds by feature, model and signal, and the times of its first and last
        answer."""
        first, last = self._file.execute("SELECT coalesce(min(time), ''), coalesce(max(time), '') FROM examples").fetchone()
        found = Tally(Counter(), Counter(), Counter(), first, last)
        for feature, model, signals in self._file.execute("SELECT feature, model, signals FROM examples"):
            found.features[feature] += 1
            found.models[model] += 1
            found.signals.update(json.loads(signals))
        return found


def build(kind: Kind, style: Style, exchanges: Iterable[Exchange], selection: Selection, splits: Mapping[str, float]) -> Built:
    """``exchanges``: those of a session follow each other, in the order of time. ``splits``: see :class:`Built`."""
    make = {"regression": regression, "preference": preference, "sft": imitation}[kind]
    built = Built(splits)

    def chosen() -> Iterator[Exchange]:
        for exchange in exchanges:
            if exchange.final or selection.provisional:
                built.labels += 1
                yield exchange
            else:
                built.provisional += 1

    for _, turns in groupby(chosen(), key=lambda exchange: (exchange.tenant, exchange.session)):
        for example in make(list(turns), selection, style):
            built.add(example)
    return built


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


def regression(turns: Sequence[Exchange], selection: Selection, style: Style) -> Iterable[ExportedExample]:
    """Test cases: questions whose answer did not satisfy, with the better answer if there was
    one."""
    accepted = {again.response_id: better for again, better in _improved(turns, selection)}
    for exchange in turns:
        if _negative(exchange, selection) and _usable(exchange):
            better = accepted.get(exchange.response_id)
            form: Callable[[Exchange, Exchange | None], dict[str, Any]] = _evals if style == "openai-evals" else _promptfoo
            yield ExportedExample(_key(*exchange.messages), 1 - exchange.score, exchange, form(exchange, better))


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


def preference(turns: Sequence[Exchange], selection: Selection, style: Style) -> Iterable[ExportedExample]:
    """Pairs for DPO in TRL's conversational format with an explicit prompt."""
    for rejected, chosen in _improved(turns, selection):
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
            yield ExportedExample(key, chosen.score - rejected.score, rejected, value)


def _improved(turns: Sequence[Exchange], selection: Selection) -> Iterable[tuple[Exchange, Exchange]]:
    """(not accepted, accepted): an answer whose question was asked again, or that was generated again, and what was accepted in the end.
    ``turns``: a session."""
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


# Answers to imitate


def imitation(turns: Sequence[Exchange], selection: Selection, style: Style) -> Iterable[ExportedExample]:
    """Answers that satisfied, in TRL's conversational prompt and completion: its trainer puts loss on the completion only, so that
    what an earlier turn of the chat got wrong is read and not learned."""
    for exchange in turns:
        if _positive(exchange, selection) and _usable(exchange) and exchange.output and exchange.outcome == "ok":
            value = {
                "prompt": [_plain(m) for m in exchange.messages],
                "completion": [{"role": "assistant", "content": exchange.output}],
                "metadata": _metadata(exchange),
            }
            yield ExportedExample(_key(*exchange.messages), exchange.score, exchange, value)


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
