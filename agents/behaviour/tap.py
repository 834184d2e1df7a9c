"""What stage 1 tells the agent ``behaviour``. All texts come from the rows with personal data masked."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import msgspec

from agents.behaviour.items import MAX_ANSWER, MAX_QUESTION, MAX_TASK, Disliked, Item, Items, Ran, Scored
from agents.behaviour.prompts import template_of
from agents.behaviour.settings import BehaviourSettings
from agents.common.taps import Call, Head, Texts
from schemas.events import MODEL_CALLS, Evaluation, Feedback, Request
from schemas.outputs import JudgeTask
from schemas.texts import text_of
from streams import effects as outside
from streams.partitioner import partition_of

NEGATIVE = frozenset({"thumbs_down", "regenerate", "escalate", "abandon"})
LOW_RATING = 0.35
TEXT_CALLS = MODEL_CALLS - {"embeddings"}
MAX_ITEMS = 200
"""Items in one message; with the largest tasks it has 7 MB."""
_DOUBTFUL = frozenset({"refusal", "content_filter", "truncated"})


_encode_json = msgspec.json.Encoder().encode
_encode = msgspec.msgpack.Encoder().encode


class BehaviourTap:
    """Of one partition of stage 1 (see :class:`agents.common.taps.Tap`)."""

    def __init__(self, topic: str, partitions: int, settings: BehaviourSettings) -> None:
        self._topic = topic
        self._partitions = partitions
        self._settings = settings
        self._items: dict[int, list[Item]] = {}
        self._homes: dict[tuple[str, str], int] = {}

    def answered(self, call: Call) -> None:
        request = call.request
        if request.operation not in TEXT_CALLS:
            return
        tenant, feature = request.tenant or "", request.feature or ""
        self._items.setdefault(self._home(tenant, feature), []).append(self._ran(call, tenant, feature))

    def _ran(self, call: Call, tenant: str, feature: str) -> Ran:
        request, response, row = call.request, call.response, call.row
        texts = call.texts
        draw = draw_of(request.request_id)
        doubts = _doubts(row.outcome, call, texts)
        wanted = self._settings.judge and texts.output and (doubts or draw < self._settings.judge_candidates)
        return Ran(
            request.request_id, call.ended, call.time, response.response_id, tenant, feature, row.model,
            request.variant or "", request.shadow_of or "", row.prompt_name, row.prompt_sha,
            template_of(_instructions(texts), texts.prompt_variables),
            request.user_id or request.session_id or "", row.outcome, len(texts.output), row.latency_ms, call.item.picodollars,
            _question(texts.messages) if self._settings.questions else "", texts.output[:MAX_ANSWER], draw, doubts,
            self._task(call, texts) if wanted else None,
        )  # fmt: skip

    def _task(self, call: Call, texts: Texts) -> bytes | None:
        request, response = call.request, call.response
        task = JudgeTask(
            task_id=f"judge-{response.response_id}", response_id=response.response_id, request_id=request.request_id, time=response.time,
            criteria=list(self._settings.judge), session_id=request.session_id, tenant=request.tenant or "", feature=request.feature,
            model=call.row.model, system_instructions=texts.system_instructions or None, output=texts.output,
        )  # fmt: skip
        encoded = _encode_json({**msgspec.structs.asdict(task), "messages": texts.messages, "documents": texts.documents})
        return encoded if len(encoded) <= MAX_TASK else None

    def unanswered(self, request: Request, time: float) -> None:
        """Nothing was answered, so there is nothing to compare."""

    def feedback(self, event: Feedback, line: bytes) -> None:
        low = event.kind == "rating" and event.value is not None and event.value <= LOW_RATING
        if not (low or event.kind in NEGATIVE) or not (event.response_id or event.request_id):
            return
        item = Disliked(
            event.event_id, event.time.timestamp(), event.tenant or "", event.response_id or "", event.request_id or "", event.kind
        )
        self._tell_all(item)

    def evaluation(self, event: Evaluation, line: bytes) -> None:
        self._tell_all(Scored(event.event_id, event.time.timestamp(), event.tenant or "", event.response_id, event.name, event.score))

    def close(self, head: Head, announce: bool, effects: outside.Effects) -> None:
        items, self._items = self._items, {}
        for home in range(self._partitions) if announce else sorted(items):
            told = items.get(home, [])
            last = max(0, len(told) - 1) // MAX_ITEMS * MAX_ITEMS
            for at in range(0, last + 1, MAX_ITEMS):
                # Only the last of several messages says how far this partition is: then everything before has been told.
                clock, rests = (head.complete, head.rests) if at == last else (0.0, False)
                message = Items(head.source, head.partition, clock, rests, told[at : at + MAX_ITEMS])
                effects.messages.append(outside.OutgoingMessage(self._topic, home, None, _encode(message)))

    def _tell_all(self, item: Item) -> None:
        for home in range(self._partitions):
            self._items.setdefault(home, []).append(item)

    def _home(self, tenant: str, feature: str) -> int:
        key = (tenant, feature)
        home = self._homes.get(key)
        if home is None:
            if len(self._homes) > 10_000:
                self._homes.clear()
            home = self._homes[key] = partition_of("\x1f".join(key).encode(), self._partitions)
        return home


def draw_of(request_id: str) -> float:
    """A call's own number in 0..1, uniform over calls."""
    digest = hashlib.blake2b(request_id.encode("utf-8", "replace"), digest_size=8, person=b"mirante-draw").digest()
    return int.from_bytes(digest, "big") / 2**64


def _doubts(outcome: str, call: Call, texts: Texts) -> list[str]:
    found = [outcome] if outcome in _DOUBTFUL else []
    if any(rail.verdict in ("flag", "block") for rail in call.response.rails or ()):
        found.append("rail")
    if texts.pii:
        found.append("pii")
    if texts.injection:
        found.append("injection")
    if call.row.json_valid is False:
        found.append("invalid_output")
    return found


def _instructions(texts: Texts) -> str:
    """What the template makes of a prompt: the system instructions, wherever they stand."""
    if texts.system_instructions:
        return texts.system_instructions
    return "\n".join(text_of(m.get("content")) for m in texts.messages if m.get("role") in ("system", "developer"))


def _question(messages: Iterable[dict[str, Any]]) -> str:
    """The question of a conversation that has just begun; a later one can not be understood, nor answered, by itself."""
    asked = [message for message in messages if message.get("role") not in ("system", "developer")]
    if len(asked) != 1 or asked[0].get("role") != "user":
        return ""
    text = text_of(asked[0].get("content"))
    return text if len(text) <= MAX_QUESTION else ""
