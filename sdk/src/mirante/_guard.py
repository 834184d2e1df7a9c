"""One guarded call, free of I/O: switches, input rails, the request event, the answer, output
rails, the response event.

Rails may block or be awaited, so a call is written as generators that yield a :class:`Check` and
are given its :class:`~mirante.rails.Verdict`; one driver runs the checks in threads, one in
asyncio.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
import uuid
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, NamedTuple, TypeVar

from mirante import _inputs, _pii
from mirante._publisher import Publisher
from mirante._reading import Path, Reading, encode, read, texts, with_texts
from mirante._sending import Event
from mirante._switches import Switches, Unknown
from mirante.controls import Decision
from mirante.errors import Blocked, CallTimeout, Killed, MiranteError, Refused, Throttled
from mirante.prompts import Prompt
from mirante.rails import PASS, PersonalData, Rail, Verdict

T = TypeVar("T")

KILL_SWITCH, THROTTLE, UNKNOWN = "kill_switch", "throttle", "controls_unknown"
TIMEOUT, ERROR = "timeout", "error"
_SEVERITY = {"pass": 0, "flag": 1, "block": 2}

EVENT_FIELDS = (
    "session_id",
    "tenant",
    "feature",
    "environment",
    "user_id",
    "trace_id",
    "span_id",
    "parent_span_id",
    "operation",
    "provider",
    "params",
    "documents",
    "tools",
    "output_schema",
    "variant",
    "shadow_of",
)
_FIELDS = frozenset((*EVENT_FIELDS, "prompt"))
_NOT_NAMES = ("params", "documents", "tools", "output_schema")
_CONTENT = ("documents", "params")


class Check(NamedTuple):
    """A text for a rail. ``facts``: the fields of the call."""

    rail: Rail
    text: str
    facts: Mapping[str, Any]


Steps = Generator[Check, Verdict, T]


@dataclass(frozen=True)
class Request:
    """What the function that calls the model is given, after the input rails.

    ``messages`` is in the form in which the caller gave it. ``timeout``: seconds left for the call,
    None for no limit; hand it on to the provider's client, so that it gives up in time too.

    Example::

        def ask(request: mirante.Request):
            return openai_client.chat.completions.create(
                model=request.model, messages=request.messages, timeout=request.timeout
            )
    """

    model: str
    messages: Any
    system: Any
    timeout: float | None
    request_id: str


@dataclass(frozen=True)
class Answer:
    """What a guarded call gives.

    ``text``: what to show, the model's words or a fallback text. ``value``: what the function
    returned, after the output rails; None when a fallback took its place. ``status``: ok, error,
    timeout or blocked. ``fallback``: whether ``text`` is a fallback. ``rails``: each rail's
    verdict.

    Example::

        answer = client.call(ask, model="gpt-4o", messages=messages)
        show(answer.text)
        client.feedback("thumbs_up", response_id=answer.response_id)
    """

    text: str
    value: Any
    status: str
    fallback: bool
    request_id: str
    response_id: str
    model: str | None
    usage: Any
    rails: Sequence[Mapping[str, Any]] = ()
    call: Any = field(default=None, repr=False, compare=False)


@dataclass
class Core:
    """What the calls of one client share."""

    publisher: Publisher
    switches: Switches
    input_rails: Sequence[Rail]
    output_rails: Sequence[Rail]
    fallback: str | Mapping[str, str] | None
    timeout: float | None
    controls_wait: float
    capture_content: bool
    defaults: Mapping[str, Any]

    def publish(self, topic: str, event: dict[str, Any]) -> bool:
        """Queue an event; never raises."""
        try:
            key = str(event.get("session_id") or event.get("request_id") or "")
            return self.publisher.put(Event(topic, key, encode(event)))
        except Exception as error:  # noqa: BLE001 - an event is not worth the caller's answer
            self.publisher.error(f"an event for {topic} can not be built", error)
            return False


class Call:
    """See the module. ``messages``: the input, in the form the provider's client takes."""

    def __init__(
        self,
        core: Core,
        *,
        model: Any,
        messages: Any = None,
        system: Any = None,
        timeout: float | None,
        input_rails: Sequence[Rail] | None = None,
        output_rails: Sequence[Rail] | None = None,
        fallback: str | Mapping[str, str] | None = None,
        controls_unknown: Unknown | None = None,
        canary: Mapping[str, Any] | None = None,
        announce: bool = True,
        again: bool = False,
        **fields: Any,
    ) -> None:
        self.core = core
        self.fields: dict[str, Any] = {
            **core.defaults,
            **{k: v for k, v in fields.items() if v is not None},
        }
        self.request_id = _name(self.fields.pop("request_id", None)) or uuid.uuid4().hex
        if unknown := self.fields.keys() - _FIELDS:
            core.publisher.tell("fields that mean nothing are left out: %s", ", ".join(unknown))
        self.model = _name(model) or "unknown"
        if canary:
            try:
                self._maybe_canary(canary)
            except Exception as error:  # noqa: BLE001 - the call goes to the model it names
                core.publisher.error("canary is {'model': NAME, 'share': 0..1}", error)
        self.messages = messages
        self.system = system
        self.timeout = timeout
        self.input_rails = core.input_rails if input_rails is None else input_rails
        self.output_rails = core.output_rails if output_rails is None else output_rails
        self._fallbacks = (fallback, core.fallback)
        self._unknown = controls_unknown
        self._announce = announce
        """Whether this publishes the request; otherwise somebody else does, unless it is
        refused."""
        self._again = again
        """Whether it is another try of a call that has been counted."""
        self.started = time.time()
        self.begun = time.monotonic()
        self.called = self.begun
        self.refusal: tuple[MiranteError, str | None] | None = None
        """What is raised and the text that may take its place."""
        self.reading = Reading()
        self.value: Any = None
        self.response_id = ""
        self.status = "ok"
        self.ttft: float | None = None
        self._verdicts: dict[tuple[str, str], dict[str, Any]] = {}
        self._published = False
        self.logged_output: str | None = None

    def _maybe_canary(self, canary: Mapping[str, Any]) -> None:
        """The same session meets the same model."""
        key = str(self.fields.get("session_id") or self.request_id)
        drawn = int.from_bytes(
            hashlib.blake2b(key.encode("utf-8", "replace"), digest_size=4).digest(), "big"
        )
        if drawn / 2**32 < float(canary.get("share", 0.0)):
            self.model = str(canary["model"])
            self.fields["variant"] = "canary"

    # --- before the model

    def opening(self) -> Steps[None]:
        """Sets ``refusal`` when the model must not be called. Publishes the request."""
        try:
            decision = self.core.switches.decide(
                self._scopes(), unknown=self._unknown, again=self._again
            )
            if decision.action != "allow":
                self._refuse_by_switch(decision)
            else:
                yield from self._check_input()
        except Exception as error:  # noqa: BLE001 - ours: rails that must hold do, else the call goes on
            self.core.publisher.error("the input can not be checked", error)
            self.fail_closed(self.input_rails, "input")
        if self._announce or self.refusal is not None:
            self.core.publish("requests", self._guarded_event(self._request_event))
        if self.refusal is not None:
            self.publish_response()
        self.called = time.monotonic()

    def _scopes(self) -> dict[str, str | None]:
        fields = self.fields
        return {
            "tenant": _name(fields.get("tenant")) or "default",
            "feature": _name(fields.get("feature")),
            "model": self.model,
            "user": _name(fields.get("user_id")),
            "session": _name(fields.get("session_id")),
        }

    def _refuse_by_switch(self, decision: Decision) -> None:
        if decision.action == "throttle":
            by = THROTTLE
            error: Refused = Throttled(THROTTLE, decision.detail)
        elif decision.scope:
            by, error = KILL_SWITCH, Killed(KILL_SWITCH, decision.detail)
        else:
            by, error = UNKNOWN, Killed(UNKNOWN, decision.reason)
        self.note(by, "input", Verdict("block", detail=error.detail))
        self._refuse(error, None)

    def _refuse(self, error: Refused, fallback: str | None) -> None:
        self.status = "blocked"
        self.refusal = (error, fallback if fallback is not None else self._fallback_for(error.by))

    def _fallback_for(self, by: str) -> str | None:
        for fallback in self._fallbacks:
            if isinstance(fallback, str) and by != ERROR:
                return fallback
            if isinstance(fallback, Mapping):
                found = fallback.get(by) if by == ERROR else fallback.get(by, fallback.get("*"))
                if found is not None:
                    return found
        return None

    def _check_input(self) -> Steps[None]:
        if not self.input_rails:
            return
        current = {text: text for text in _inputs.texts(self.messages) if text}
        facts = self.facts
        for rail in self.input_rails:
            self.note(rail.name, "input", PASS)
            for original, text in current.items():
                verdict = yield Check(rail, text, facts)
                self.note(rail.name, "input", verdict)
                if verdict.verdict == "block":
                    self._change_messages(current)
                    if isinstance(rail, PersonalData):
                        self._mask_for_the_record()
                    return self._refuse(Blocked(rail.name, verdict.detail), rail.fallback)
                if verdict.text is not None:
                    current[original] = verdict.text
        self._change_messages(current)

    def _change_messages(self, texts: Mapping[str, str]) -> None:
        changed = {old: new for old, new in texts.items() if new != old}
        if changed:
            self.messages = _inputs.with_texts(self.messages, changed)

    def _mask_for_the_record(self) -> None:
        self._change_messages({text: _pii.mask(text)[0] for text in _inputs.texts(self.messages)})

    def fail_closed(self, rails: Sequence[Rail], stage: str) -> None:
        for rail in rails:
            if rail.on_failure == "fail_closed" and self.refusal is None:
                verdict = Verdict("block", detail="the text could not be read")
                self.note(rail.name, stage, verdict)
                self._refuse(Blocked(rail.name, verdict.detail), rail.fallback)

    @property
    def facts(self) -> dict[str, Any]:
        return {**self.fields, "model": self.model, "request_id": self.request_id}

    @property
    def request(self) -> Request:
        return Request(self.model, self.messages, self.system, self.left, self.request_id)

    @property
    def left(self) -> float | None:
        """Seconds until the timeout."""
        if self.timeout is None:
            return None
        return max(self.timeout - (time.monotonic() - self.called), 0.001)

    @property
    def deadline(self) -> float | None:
        return None if self.timeout is None else self.called + self.timeout

    # --- after the model

    def closing(self, value: Any) -> Steps[None]:
        """Take the answer: sets ``value``, or ``refusal`` when it is withheld. Publishes the
        response."""
        self.answered = time.monotonic()
        self.value = value
        try:
            self.reading = read(value)
        except Exception as error:  # noqa: BLE001 - ours
            self.core.publisher.error("the answer can not be read", error)
        try:
            yield from self._check_output(value)
        except Exception as error:  # noqa: BLE001 - ours
            self.core.publisher.error("the answer can not be checked", error)
            self.fail_closed(self.output_rails, "output")
        self.publish_response()

    answered: float | None = None

    def _check_output(self, value: Any) -> Steps[None]:
        if not self.output_rails:
            return
        changed: dict[Path, str] = {}
        for rail in self.output_rails:
            self.note(rail.name, "output", PASS)
        for path, text in texts(value):
            new = yield from self.check_text(text)
            if new is None:
                return
            if new != text:
                changed[path] = new
        if changed:
            self.value = with_texts(value, changed)
            self.logged_output = read(self.value).output

    def check_text(self, text: str) -> Steps[str | None]:
        """The text after the output rails; None when it is blocked, then ``refusal`` is set."""
        facts = self.facts
        for rail in self.output_rails:
            verdict = yield Check(rail, text, facts)
            self.note(rail.name, "output", verdict)
            if verdict.verdict == "block":
                if isinstance(rail, PersonalData):
                    self.logged_output = _pii.mask(self.reading.output or text)[0]
                self._refuse(Blocked(rail.name, verdict.detail), rail.fallback)
                return None
            if verdict.text is not None:
                text = verdict.text
        return text

    def timed_out(self) -> MiranteError:
        """The deadline has passed: publishes the response; ``refusal`` says what to do."""
        error = CallTimeout(self.timeout or 0.0)
        self.status = "timeout"
        self.refusal = (error, self._fallback_for(TIMEOUT))
        self.publish_response({"type": "timeout", "message": str(error)})
        return error

    def failed(self, error: BaseException) -> str | None:
        """The function raised: publishes the response. The text to use instead, if the user wants
        one for errors: else the exception goes on to the caller as it is."""
        self.status = status_of(error)
        details: dict[str, Any] | None = None
        if self.status != "cancelled":
            try:
                details = describe(error)
            except Exception as fault:  # noqa: BLE001 - an exception that can not be printed
                self.core.publisher.error("an exception can not be described", fault)
        self.publish_response(details)
        if self.status == "cancelled" or not isinstance(error, Exception):
            return None
        return self._fallback_for(TIMEOUT if self.status == "timeout" else ERROR)

    def cancelled(self) -> None:
        """The caller wants no more of it."""
        self.status = "cancelled"
        self.publish_response()

    def answer(self) -> Answer:
        """What the caller gets; raises what ``refusal`` holds where there is no text for it."""
        text = self.reading.output or ""
        if self.logged_output is not None and self.refusal is None:
            text = self.logged_output
        value = self.value
        if self.refusal is not None:
            error, fallback = self.refusal
            if fallback is None:
                raise error
            text, value = fallback, None
        return self._answer(text, value, self.refusal is not None)

    def substitute(self, text: str) -> Answer:
        """An answer of this text in place of an error."""
        return self._answer(text, None, True)

    def _answer(self, text: str, value: Any, fallback: bool) -> Answer:
        return Answer(
            text, value, self.status, fallback, self.request_id, self.response_id,
            self.reading.model, self.reading.usage, tuple(self._verdicts.values()), self,
        )  # fmt: skip

    # --- events

    def note(self, name: str, stage: str, verdict: Verdict) -> None:
        known = self._verdicts.get((name, stage))
        if known is None or _SEVERITY[verdict.verdict] > _SEVERITY[known["verdict"]]:
            noted = {"name": name, "stage": stage, "verdict": verdict.verdict}
            if verdict.detail:
                noted["detail"] = verdict.detail[:500]
            self._verdicts[name, stage] = noted

    def _guarded_event(self, build: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        try:
            return build()
        except Exception as error:  # noqa: BLE001 - ours: a plain event is better than none
            self.core.publisher.error("an event is published without its content", error)
            return {**self._common(self.started), "model": self.model}

    def _common(self, seconds: float) -> dict[str, Any]:
        event: dict[str, Any] = {
            "event_id": uuid.uuid4().hex,
            "time": timestamp(seconds),
            "request_id": self.request_id,
        }
        for name in ("session_id", "tenant"):
            if (text := _name(self.fields.get(name))) is not None:
                event[name] = text
        return event

    def _request_event(self) -> dict[str, Any]:
        event = self._common(self.started)
        event["model"] = self.model
        for name in EVENT_FIELDS:
            value = self.fields.get(name)
            if value is None or (name in _CONTENT and not self.core.capture_content):
                continue
            event[name] = value if name in _NOT_NAMES else _name(value)
        prompt = self.fields.get("prompt")
        if isinstance(prompt, Prompt):
            event["prompt"] = prompt.fields()
        elif isinstance(prompt, Mapping):
            event["prompt"] = dict(prompt)
        if self.timeout is not None:
            event["timeout_ms"] = max(int(self.timeout * 1000), 1)
        if self.core.capture_content:
            if (found := _inputs.messages(self.messages)) is not None:
                event["messages"] = found
            if self.system is not None:
                event["system_instructions"] = _as_text(self.system)
        return event

    def publish_response(self, error: dict[str, Any] | None = None) -> None:
        if self._published:
            return
        self._published = True
        self.response_id = self.response_id or self.reading.response_id or uuid.uuid4().hex
        self.core.publish("responses", self._guarded_event(lambda: self._response_event(error)))

    def _response_event(self, error: dict[str, Any] | None) -> dict[str, Any]:
        now = time.time()
        event = self._common(now)
        found = self.reading
        ended = self.answered or time.monotonic()
        event.update(response_id=self.response_id, status=self.status)
        optional = {
            "model": found.model,
            "error": error,
            "finish_reason": found.finish_reason,
            "system_fingerprint": found.system_fingerprint,
            "service_tier": found.service_tier,
            "usage": found.usage,
            "ttft_ms": None if self.ttft is None else round((self.ttft - self.called) * 1000, 3),
        }
        if self.core.capture_content:
            optional["output"] = (
                self.logged_output if self.logged_output is not None else found.output
            )
            optional["tool_calls"] = found.tool_calls or None
        event.update({name: value for name, value in optional.items() if value is not None})
        if self.called_model:
            event["latency_ms"] = round((ended - self.called) * 1000, 3)
        if self._verdicts:
            event["rails"] = list(self._verdicts.values())
        return event

    @property
    def verdicts(self) -> list[dict[str, Any]]:
        """Each rail's verdict, as ``rails`` of the response event lists them."""
        return list(self._verdicts.values())

    @property
    def called_model(self) -> bool:
        return not any(
            v["verdict"] == "block" and v["stage"] == "input" for v in self._verdicts.values()
        )


def timestamp(seconds: float) -> str:
    """RFC 3339 in UTC."""
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="microseconds")


def _name(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value or None
    try:
        return str(value) or None
    except Exception:  # noqa: BLE001 - what can not be printed has no name
        return type(value).__name__


def _as_text(system: Any) -> str:
    return system if isinstance(system, str) else "\n".join(t for t in _inputs.texts(system) if t)


def status_of(error: BaseException) -> str:
    if isinstance(error, (asyncio.CancelledError, KeyboardInterrupt, GeneratorExit, SystemExit)):
        return "cancelled"
    names = [kind.__name__ for kind in type(error).__mro__]
    if "CancelledError" in names:
        return "cancelled"
    if isinstance(error, TimeoutError) or any("Timeout" in name for name in names):
        return "timeout"
    return "error"


def describe(error: BaseException) -> dict[str, Any]:
    kind = type(error)
    module = (
        "" if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__.split('.')[0]}."
    )
    details: dict[str, Any] = {"type": f"{module}{kind.__name__}"}
    code = getattr(error, "status_code", None) or getattr(error, "code", None)
    if isinstance(code, (str, int)) and not isinstance(code, bool):
        details["code"] = code
    if message := str(error):
        details["message"] = _pii.mask(message[:1000])[0]
    return details
