"""One session of the demonstration traffic: what a user asks, what the models answer, how the user takes it.

Every random choice comes from the generator given, every id from a second one, so that a session is a function of
the two states and its start. Token counts are estimates from the text (about four characters each) plus what is said to
be in the prompt but not spelled out here (the system prompt's length, a contract's pages).
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any, NamedTuple, TypeVar

import orjson

from deploy.traffic import demo_text as text
from deploy.traffic.demo_world import EMBEDDING, OUTCOMES, TENANTS, DemoFeature, Model, Tenant, index_version, prompt_sha
from deploy.traffic.record import EVALUATIONS, FEEDBACK, REQUESTS, RESPONSES, TimedRecord, rfc3339

T = TypeVar("T")

_SECOND = 1_000_000
_DAY_US = 86_400 * _SECOND
_PREFIX_TOKENS = 128
_CACHE_MIN_TOKENS = 1024

_CHARS_PER_TOKEN = {"en": 4.2, "pt": 3.6}
_STAGING = 0.03
_RETRY = 0.6
_JUDGED = 0.04
_CACHE_HIT = 0.03

_SUMMARY_SCHEMA = {
    "type": "object",
    "properties": {"summary": {"type": "string"}, "risk": {"enum": ["low", "medium", "high"]}},
    "required": ["summary", "risk"],
}
_TOOLS = [
    {"name": "find_order", "description": "Looks up an order by its number"},
    {"name": "reschedule_delivery", "description": "Moves the delivery of an order"},
]
_ERRORS = {
    "rate_limit": {"type": "rate_limit_error", "code": "429", "message": "Rate limit reached for requests per minute"},
    "server_error": {"type": "server_error", "code": "503", "message": "The model is overloaded, try again later"},
    "timeout": {"type": "timeout", "message": "No answer within the time limit"},
}


class DemoCall(NamedTuple):
    """How a call went: when the caller knew, the outcome's name, and the ids of its response."""

    ended_us: int
    outcome: str
    request_id: str
    response_id: str
    output: str


class Made(NamedTuple):
    """A record and the number of the request in the session (from 0) without which it would not exist."""

    request: int
    record: TimedRecord


def pick(rng: Random, options: Sequence[T]) -> T:
    """One of the options; several times faster than `Random.choice`."""
    return options[int(rng.random() * len(options))]


def pick_outcome(rng: Random) -> str:
    """The name of an outcome, with the probabilities of `OUTCOMES`."""
    left = rng.random()
    for name, share in reversed(OUTCOMES):
        left -= share
        if left < 0:
            return name
    return "ok"


def _pick_tenant(rng: Random) -> Tenant:
    left = rng.random()
    for tenant in TENANTS:
        left -= tenant.weight
        if left < 0:
            return tenant
    return TENANTS[0]


def _pick_feature(rng: Random, tenant: Tenant) -> tuple[DemoFeature, Model]:
    left = rng.random()
    for feature, weight, models in tenant.features:
        left -= weight
        if left < 0:
            return feature, pick(rng, models)
    feature, _, models = tenant.features[0]
    return feature, models[0]


class DemoSession:
    """Plays one session when made; `made` then holds its records, in no particular order."""

    def __init__(self, rng: Random, ids: Random, start_us: int) -> None:
        self.made: list[Made] = []
        self.requests = 0
        self._rng, self._ids = rng, ids
        self._tenant = _pick_tenant(rng)
        self._feature, self._model = _pick_feature(rng, self._tenant)
        self._lang = self._tenant.lang
        self._session = self._id("ses")
        self._key = self._session.encode()
        self._user = f"u-{int(rng.random() * self._tenant.users):04d}"
        self._environment = "staging" if rng.random() < _STAGING else "production"
        self._sha = prompt_sha(self._feature.prompt, start_us // _DAY_US)
        self._index = index_version(start_us // _DAY_US)
        self._slots: dict[str, object] = {name: pick(rng, values) for name, values in text.SLOTS[self._lang].items()}
        self._slots["number"] = 10_000 + int(rng.random() * 90_000)
        self._slots["amount"] = 10 + int(rng.random() * 290)
        self._pages_tokens = int(rng.lognormvariate(8.6, 0.6)) if self._feature.kind == "contract" else 0
        self._history: list[dict[str, str]] = []
        self._history_tokens = 0
        self._cached_tokens = 0
        self._play(start_us)

    # -- the conversation

    def _play(self, at_us: int) -> None:
        rng, feature = self._rng, self._feature
        intent = pick(rng, feature.intents[self._lang])
        forbidden = False
        say = self._fill(pick(rng, intent.ask))
        for turn in range(feature.max_turns):
            good = rng.random() < feature.good
            answer = self._answer(intent, good)
            outcome = pick_outcome(rng)
            if outcome in ("refusal", "blocked") and not forbidden:
                say, forbidden = pick(rng, text.OUT_OF_BOUNDS[self._lang]), True
            said, tokens = len(self._history), self._history_tokens
            call = self._turn(at_us, say, answer, outcome)
            at_us = call.ended_us + self._think_us()
            if call.outcome in ("rate_limit", "server_error", "timeout", "unanswered"):
                if rng.random() < _RETRY:
                    # The same question again, not a second one after it.
                    del self._history[said:]
                    self._history_tokens = tokens
                    continue
                self._feedback(call, at_us, "abandon")
                return
            if call.outcome != "ok":
                if rng.random() < 0.3:
                    self._feedback(call, at_us, "thumbs_down")
                return
            self._judge(call, good)
            self._react(call, good)
            if turn + 1 == feature.max_turns:
                return
            following = self._follow_up(intent, call, at_us, good)
            if following is None:
                return
            say, closing = following
            if closing is not None:
                self._close(at_us, say, closing)
                return
            if good:
                intent = pick(rng, feature.intents[self._lang])
                say = self._fill(pick(rng, intent.ask))

    def _follow_up(
        self, intent: text.Intent, call: DemoCall, at_us: int, good: bool
    ) -> tuple[str, tuple[str, ...] | None] | None:
        """(what the user says next, the closing answers if that ends it), or None if the user leaves."""
        chance = self._rng.random()
        if good:
            if chance < 0.22:
                return pick(self._rng, text.THANKS[self._lang]), text.WELCOME[self._lang]
            return ("", None) if chance < 0.45 else None
        if chance < 0.55:
            return self._fill(pick(self._rng, intent.again)), None
        if chance < 0.72:
            if self._feature.kind == "chat" and self._rng.random() < 0.5:
                self._feedback(call, at_us + 5 * _SECOND, "escalate")
            return pick(self._rng, text.COMPLAINTS[self._lang]), text.APOLOGIES[self._lang]
        if chance < 0.82:
            self._feedback(call, at_us, "abandon")
        return None

    def _close(self, at_us: int, say: str, answers: tuple[str, ...]) -> None:
        self._chat(at_us, say, pick(self._rng, answers), pick_outcome(self._rng))

    def _answer(self, intent: text.Intent, good: bool) -> str:
        answer = self._fill(pick(self._rng, intent.good if good else intent.poor))
        if self._feature.kind != "contract":
            return answer
        risk = pick(self._rng, ("low", "low", "medium", "high"))
        return orjson.dumps({"summary": answer, "risk": risk}).decode()

    def _turn(self, at_us: int, say: str, answer: str, outcome: str) -> DemoCall:
        if self._feature.kind == "agent":
            return self._agent_turn(at_us, say, answer, outcome)
        if self._feature.kind == "search":
            return self._search_turn(at_us, say, answer, outcome)
        return self._chat(at_us, say, answer, outcome)

    def _search_turn(self, at_us: int, say: str, answer: str, outcome: str) -> DemoCall:
        trace, root = self._hex(128), self._hex(64)
        embedded = self._step(
            at_us,
            "embeddings",
            EMBEDDING,
            {"trace_id": trace, "span_id": root},
            tokens=max(4, len(say) // 4),
            took_ms=40,
        )
        found = [
            {
                "id": f"sku-{int(self._rng.random() * 4000):04d}",
                "index_version": self._index,
                "score": round(0.9 - 0.07 * place - self._rng.random() * 0.05, 4),
                "text": self._fill(document),
            }
            for place, document in enumerate(text.DOCUMENTS[self._lang][:3])
        ]
        span = {"trace_id": trace, "span_id": self._hex(64), "parent_span_id": root}
        return self._chat(embedded + 5000, say, answer, outcome, {**span, "documents": found}, cacheable=True)

    def _agent_turn(self, at_us: int, say: str, answer: str, outcome: str) -> DemoCall:
        trace, root = self._hex(128), self._hex(64)
        number, request_id = self._request(
            at_us,
            {
                "operation": "invoke_agent",
                "trace_id": trace,
                "span_id": root,
                "messages": [{"role": "user", "content": say}],
            },
        )

        def span() -> dict[str, object]:
            return {"trace_id": trace, "span_id": self._hex(64), "parent_span_id": root, "tools": _TOOLS}

        tool = pick(self._rng, _TOOLS)["name"]
        arguments = {"order": self._slots["number"], "day": self._slots["day"]}
        planned = self._chat(at_us + 2000, say, "", "ok", span(), tool_calls=[{"name": tool, "arguments": arguments}])
        called = self._step(
            planned.ended_us + 1000,
            "execute_tool",
            self._model,
            span(),
            output='{"ok":true}',
            took_ms=60 + self._rng.random() * 400,
        )
        result = self._chat(called + 1000, "", answer, outcome, span())
        ended_us = result.ended_us + 1000
        if outcome == "unanswered":
            return result
        # The agent's own response carries no usage: its calls have theirs, and tokens must not count twice.
        status = {"rate_limit": "error", "server_error": "error", "timeout": "timeout", "cancelled": "cancelled"}
        response: dict[str, object] = {"status": status.get(outcome, "blocked" if outcome == "blocked" else "ok")}
        if outcome in _ERRORS:
            response["error"] = _ERRORS[outcome]
        else:
            response["output"] = result.output
        self._response(number, request_id, at_us, ended_us, self._model, response)
        return result._replace(ended_us=ended_us)

    # -- one call

    def _chat(
        self,
        at_us: int,
        say: str,
        answer: str,
        outcome: str,
        extra: dict[str, object] | None = None,
        tool_calls: list[dict[str, object]] | None = None,
        cacheable: bool = False,
    ) -> DemoCall:
        """A chat call that ends as `outcome` says; an ok one becomes part of the conversation."""
        rng, feature, model = self._rng, self._feature, self._model
        if say:
            self._remember("user", say)
        input_tokens = feature.system_tokens + self._pages_tokens + self._history_tokens
        fields: dict[str, object] = {
            "operation": "chat",
            "prompt": {"name": feature.prompt, "sha": self._sha, "variables": {"lang": self._lang}},
            "system_instructions": feature.system[self._lang],
            "messages": self._history,
            "params": {"temperature": feature.temperature, "max_tokens": feature.max_tokens},
            **(extra or {}),
        }
        if feature.kind == "contract":
            fields["output_schema"] = _SUMMARY_SCHEMA
        if "documents" in fields:
            input_tokens += 140
        number, request_id = self._request(at_us, fields)
        if outcome == "refusal":
            answer = pick(rng, text.REFUSALS[self._lang])
        elif outcome == "truncated":
            answer = answer[: len(answer) * 2 // 3]
        elif outcome == "content_filter":
            answer = ""
        output_tokens = self._output_tokens(answer, outcome, tool_calls is not None)
        ttft_ms = (model.ttft_ms + input_tokens * 0.03) * rng.lognormvariate(0, 0.3)
        latency_ms = ttft_ms + output_tokens * model.ms_per_token * rng.lognormvariate(0, 0.15)
        if outcome == "unanswered":
            return DemoCall(at_us + feature.timeout_ms * 1000, outcome, request_id, "", "")
        response: dict[str, object]
        if outcome in _ERRORS:
            latency_ms = feature.timeout_ms if outcome == "timeout" else 80 + rng.random() * 400
            response = {"status": "timeout" if outcome == "timeout" else "error", "error": _ERRORS[outcome]}
        elif outcome == "cancelled":
            response = {"status": "cancelled", "output": answer[: len(answer) // 2]}
            latency_ms *= 0.5
        elif outcome == "blocked":
            detail = "asks for what is out of bounds"
            rail = {"name": "topic_guard", "stage": "input", "verdict": "block", "detail": detail}
            response, latency_ms = {"status": "blocked", "rails": [rail]}, 35 + rng.random() * 30
        elif cacheable and outcome == "ok" and rng.random() < _CACHE_HIT:
            usage = {"input_tokens": 0, "output_tokens": 0}
            response = {"status": "ok", "finish_reason": model.stop, "output": answer, "usage": usage, "cache": "hit"}
            latency_ms = 8 + rng.random() * 15
        else:
            response = {
                "status": "ok",
                "finish_reason": self._finish_reason(outcome, tool_calls is not None),
                "output": answer,
                "usage": self._usage(input_tokens, output_tokens),
                "ttft_ms": round(ttft_ms),
            }
            if feature.kind == "chat":
                response["rails"] = [{"name": "topic_guard", "stage": "input", "verdict": "pass"}]
            if tool_calls is not None:
                response["tool_calls"] = tool_calls
        if outcome == "ok" and answer:
            self._remember("assistant", answer)
        ended_us = at_us + round(latency_ms) * 1000
        response_id = self._response(number, request_id, at_us, ended_us, model, response)
        return DemoCall(ended_us, outcome, request_id, response_id, answer)

    def _step(
        self,
        at_us: int,
        operation: str,
        model: Model,
        span: dict[str, object],
        *,
        took_ms: float,
        tokens: int | None = None,
        output: str | None = None,
    ) -> int:
        """A step that always succeeds; returns when it ended."""
        number, request_id = self._request(at_us, {"operation": operation, **span}, model)
        ended_us = at_us + round(took_ms * self._rng.lognormvariate(0, 0.25)) * 1000
        response: dict[str, object] = {"status": "ok"}
        if tokens is not None:
            response["usage"] = {"input_tokens": tokens, "output_tokens": 0}
        if output is not None:
            response["output"] = output
        self._response(number, request_id, at_us, ended_us, model, response)
        return ended_us

    def _finish_reason(self, outcome: str, tools: bool) -> str:
        model = self._model
        if outcome == "truncated":
            return model.length
        if outcome == "content_filter":
            return model.filtered
        return model.tool if tools else model.stop

    def _output_tokens(self, answer: str, outcome: str, tools: bool) -> int:
        if tools:
            return 25 + int(self._rng.random() * 15)
        if outcome == "truncated":
            return self._feature.max_tokens
        tokens = len(answer) / _CHARS_PER_TOKEN[self._lang]
        return min(self._feature.max_tokens - 1, int(tokens * self._rng.uniform(0.9, 1.1)) + 1)

    def _usage(self, input_tokens: int, output_tokens: int) -> dict[str, int]:
        usage = {"input_tokens": input_tokens, "output_tokens": output_tokens}
        if self._model.name == "gemini-2.5-pro":
            usage["reasoning_tokens"] = 200 + int(self._rng.random() * 600)
            usage["output_tokens"] += usage["reasoning_tokens"]
        if self._model.caches and input_tokens >= _CACHE_MIN_TOKENS:
            prefix = input_tokens // _PREFIX_TOKENS * _PREFIX_TOKENS
            # Others have just used the same system prompt, more often than not.
            shared = self._feature.system_tokens // _PREFIX_TOKENS * _PREFIX_TOKENS if self._rng.random() < 0.7 else 0
            read = min(max(self._cached_tokens, shared), prefix)
            if read:
                usage["cache_read_tokens"] = read
            if self._model.provider == "anthropic" and prefix > read:
                usage["cache_write_tokens"] = prefix - read
            self._cached_tokens = prefix
        return usage

    # -- what users and judges do with an answer

    def _react(self, call: DemoCall, good: bool) -> None:
        rng = self._rng
        at_us = call.ended_us + int((2 + rng.random() * 8) * _SECOND)
        if rng.random() < 0.3:
            seconds = rng.lognormvariate(2.6 if good else 1.6, 0.7)
            self._feedback(call, call.ended_us + int(seconds * _SECOND), "dwell", round(seconds, 1))
        if rng.random() < (0.05 if good else 0.002):
            self._feedback(call, at_us, "thumbs_up")
        elif rng.random() < (0.002 if good else 0.12):
            self._feedback(call, at_us, "thumbs_down")
        if rng.random() < 0.02:
            self._feedback(call, at_us, "rating", round(rng.uniform(0.6, 1) if good else rng.uniform(0, 0.5), 2))
        if rng.random() < 0.012:
            comments = text.COMMENTS_GOOD if good else text.COMMENTS_BAD
            self._feedback(call, at_us + _SECOND, "comment", comment=pick(rng, comments[self._lang]))
        if not good:
            if rng.random() < 0.1:
                self._feedback(call, at_us, "regenerate")
            if rng.random() < 0.05:
                self._feedback(call, at_us, "tab_close")
            return
        if self._feature.kind == "code":
            if rng.random() < 0.35:
                self._feedback(call, at_us, "copy_code")
            elif rng.random() < 0.25:
                self._feedback(call, at_us, "insert")
                if rng.random() < 0.3:
                    self._feedback(call, at_us + 20 * _SECOND, "edit")
        elif rng.random() < (0.3 if self._feature.kind == "contract" else 0.06):
            self._feedback(call, at_us, "copy")
        if rng.random() < 0.01:
            self._feedback(call, at_us + 3 * _SECOND, "share")

    def _judge(self, call: DemoCall, good: bool) -> None:
        rng = self._rng
        if rng.random() >= _JUDGED:
            return
        name = {"search": "faithfulness", "contract": "completeness", "code": "correctness"}.get(
            self._feature.kind, "helpfulness"
        )
        score = min(1.0, max(0.0, rng.gauss(0.88 if good else 0.35, 0.1)))
        at_us = call.ended_us + int((20 + rng.random() * 70) * _SECOND)
        evaluation = {
            **self._common(at_us),
            "request_id": call.request_id,
            "response_id": call.response_id,
            "name": name,
            "score": round(score, 3),
            "label": "pass" if score >= 0.6 else "fail",
            "explanation": "Answers what was asked." if score >= 0.6 else "Does not answer what was asked.",
            "source": "judge",
        }
        self._add(self.requests - 1, at_us, EVALUATIONS, evaluation)

    def _feedback(
        self, call: DemoCall, at_us: int, kind: str, value: float | None = None, comment: str | None = None
    ) -> None:
        feedback = {**self._common(at_us), "request_id": call.request_id, "kind": kind, "user_id": self._user}
        if call.response_id:
            feedback["response_id"] = call.response_id
        if value is not None:
            feedback["value"] = value
        if comment is not None:
            feedback["comment"] = comment
        self._add(self.requests - 1, at_us, FEEDBACK, feedback)

    # -- events

    def _request(self, at_us: int, fields: dict[str, object], model: Model | None = None) -> tuple[int, str]:
        model = model or self._model
        request_id = self._id("req")
        request = {
            **self._common(at_us),
            "request_id": request_id,
            "feature": self._feature.name,
            "environment": self._environment,
            "user_id": self._user,
            "provider": model.provider,
            "model": model.name,
            "timeout_ms": self._feature.timeout_ms,
            **fields,
        }
        number = self.requests
        self.requests += 1
        self._add(number, at_us, REQUESTS, request)
        return number, request_id

    def _response(
        self, number: int, request_id: str, at_us: int, ended_us: int, model: Model, fields: dict[str, object]
    ) -> str:
        response_id = self._id("resp")
        response = {
            **self._common(ended_us),
            "request_id": request_id,
            "response_id": response_id,
            "model": model.name,
            "latency_ms": (ended_us - at_us) // 1000,
            **fields,
        }
        if model.fingerprint is not None and fields["status"] == "ok":
            response["system_fingerprint"] = model.fingerprint
        self._add(number, ended_us, RESPONSES, response)
        return response_id

    def _common(self, at_us: int) -> dict[str, Any]:
        return {
            "event_id": self._id("evt"),
            "time": rfc3339(at_us),
            "session_id": self._session,
            "tenant": self._tenant.name,
        }

    def _add(self, number: int, at_us: int, topic: str, event: dict[str, Any]) -> None:
        # Serialised at once: `messages` is the conversation so far, and goes on.
        self.made.append(Made(number, TimedRecord(at_us / 1e6, topic, self._key, orjson.dumps(event))))

    # -- small things

    def _remember(self, role: str, content: str) -> None:
        self._history.append({"role": role, "content": content})
        self._history_tokens += int(len(content) / _CHARS_PER_TOKEN[self._lang]) + 4

    def _fill(self, template: str) -> str:
        return template.format_map(self._slots)

    def _think_us(self) -> int:
        return int(self._rng.lognormvariate(2.7, 0.7) * _SECOND)

    def _hex(self, bits: int) -> str:
        return f"{self._ids.getrandbits(bits):0{bits // 4}x}"

    def _id(self, kind: str) -> str:
        return f"{kind}-{self._ids.getrandbits(96):024x}"
