"""LiteLLM: a callback that publishes every call, and a guardrail that obeys switches and rails
before it.

For the library and the proxy. ``litellm`` must be installed.
"""

from __future__ import annotations

import secrets
import uuid
from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mirante import _inputs, _litellm
from mirante._guard import Call, status_of, timestamp
from mirante._reading import Reading, get, plain, read
from mirante._wrap import AnyClient, aopen_call
from mirante.client import Client
from mirante.errors import Blocked, Killed, Refused, Throttled

if TYPE_CHECKING:

    class CustomLogger:
        """LiteLLM's."""

    class CustomGuardrail(CustomLogger):
        """LiteLLM's."""

        def __init__(self, **options: Any) -> None: ...

    class GuardrailRaisedException(Exception):
        """LiteLLM's."""

else:
    from litellm.exceptions import GuardrailRaisedException
    from litellm.integrations.custom_guardrail import CustomGuardrail
    from litellm.integrations.custom_logger import CustomLogger

_OPERATIONS = {
    "completion": "chat",
    "acompletion": "chat",
    "responses": "chat",
    "aresponses": "chat",
    "anthropic_messages": "chat",
    "text_completion": "text_completion",
    "atext_completion": "text_completion",
    "embedding": "embeddings",
    "aembedding": "embeddings",
}
_MARK = "mirante_checked"
_CHECKED = secrets.token_hex(16)
"""What the mark says: the proxy's clients write metadata, and must not let themselves through."""
_RAILS = "mirante_rails"
_REMEMBERED = 10_000


class _Intervention(GuardrailRaisedException):
    """By this LiteLLM's router knows what is neither to be tried again nor to be asked of another
    model."""

    guardrail_name = "mirante"
    blocked_content = True
    status_code = 403
    by = detail = ""

    def __init__(self, by: str, detail: str = "") -> None:
        self.by, self.detail = by, detail
        self.message = f"{by}: {detail}" if detail else by
        Exception.__init__(self, self.message)


class _Killed(_Intervention, Killed):
    """Killed, for LiteLLM."""


class _Throttled(_Intervention, Throttled):
    """Throttled, for LiteLLM."""

    status_code = 429


class _Blocked(_Intervention, Blocked):
    """Blocked, for LiteLLM."""


_RAISED: dict[type, type[_Intervention]] = {
    Killed: _Killed,
    Throttled: _Throttled,
    Blocked: _Blocked,
}


class MiranteLogger(CustomLogger):
    """LiteLLM callback. Each call becomes a request event before it is made, and a response event
    when it has ended; streams when they have, from the whole answer.

    Fields come from the call's ``metadata``: ``session_id user_id tenant feature environment
    prompt``, or all of them under ``mirante``; else from :func:`mirante.context`; else from what
    the proxy knows: end user and team. ``trust_cost``: whether LiteLLM's own cost is reported,
    instead of Mirante's price book computing it.

    Example::

        litellm.callbacks = [mirante.litellm.MiranteLogger(client)]
        litellm.completion(model="gpt-4o", messages=messages, metadata={"feature": "support"})
    """

    def __init__(
        self, client: AnyClient | None = None, *, trust_cost: bool = False, **options: Any
    ) -> None:
        super().__init__(**options)
        self._client = client or Client()
        self._trust_cost = trust_cost
        self._asked: OrderedDict[str, None] = OrderedDict()
        self._ended: OrderedDict[str, None] = OrderedDict()

    def log_pre_api_call(self, model: Any, messages: Any, kwargs: Any) -> None:
        """A call is about to be made."""
        try:
            call_id = str(kwargs["litellm_call_id"])
            if any(str(name).startswith("user_api_key") for name in _litellm.metadata(kwargs)):
                return  # the proxy tells of a call that it has refused as if it were made
            if _is_new(self._asked, call_id):
                self._client._core.publish("requests", self._request(call_id, kwargs, {}))
        except Exception as fault:  # noqa: BLE001 - LiteLLM's caller shall not meet it
            self._client._core.publisher.error("a LiteLLM call can not be read", fault)

    def log_success_event(
        self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        """A call has succeeded."""
        self._log(kwargs, response_obj, start_time, end_time, failed=False)

    def log_failure_event(
        self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        """A call has failed."""
        self._log(kwargs, response_obj, start_time, end_time, failed=True)

    async def async_log_success_event(
        self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        """As ``log_success_event``."""
        self._log(kwargs, response_obj, start_time, end_time, failed=False)

    async def async_log_failure_event(
        self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        """As ``log_failure_event``."""
        self._log(kwargs, response_obj, start_time, end_time, failed=True)

    def _log(self, kwargs: Any, answer: Any, begun: Any, ended: Any, *, failed: bool) -> None:
        core = self._client._core
        try:
            error = kwargs.get("exception")
            if isinstance(error, Refused) or getattr(error, _MARK, False):
                return  # the guardrail has published it
            payload = kwargs.get("standard_logging_object") or {}
            call_id = str(
                payload.get("litellm_call_id") or kwargs.get("litellm_call_id") or uuid.uuid4().hex
            )
            if not _is_new(self._ended, call_id):
                return  # LiteLLM may tell of one call by more than one hook
            response = self._response(call_id, kwargs, payload, answer, begun, ended, failed)
            request = None
            if _is_new(self._asked, call_id):
                request = self._request(call_id, kwargs, payload, begun)
        except Exception as fault:  # noqa: BLE001 - LiteLLM's caller shall not meet it
            core.publisher.error("a LiteLLM call can not be read", fault)
            return
        if request is not None:
            core.publish("requests", request)
        core.publish("responses", response)

    def _common(self, kwargs: Any, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Fields of both events."""
        fields = {
            **self._client._core.defaults,
            **_litellm.known(_litellm.metadata(kwargs), payload, kwargs),
        }
        return {n: fields[n] for n in ("session_id", "tenant") if fields.get(n) is not None}

    def _request(
        self, call_id: str, kwargs: Any, payload: Mapping[str, Any], begun: Any = None
    ) -> dict[str, Any]:
        """``payload``: the standard logging object, empty before the call has ended."""
        core = self._client._core
        fields = {**core.defaults, **_litellm.known(_litellm.metadata(kwargs), payload, kwargs)}
        parameters = kwargs.get("litellm_params") or {}
        provider = payload.get("custom_llm_provider") or kwargs.get("custom_llm_provider")
        request: dict[str, Any] = {
            "event_id": f"litellm-{call_id}-request",
            "time": timestamp(
                _litellm.seconds(payload.get("startTime"), begun or kwargs.get("start_time"))
            ),
            "request_id": call_id,
            "model": _litellm.bare(payload.get("model") or kwargs.get("model")),
            "provider": provider or parameters.get("custom_llm_provider"),
            "operation": _OPERATIONS.get(str(payload.get("call_type") or kwargs.get("call_type"))),
            "tools": (kwargs.get("optional_params") or {}).get("tools"),
            **{n: v for n, v in fields.items() if n in _litellm.FIELDS or n == "tenant"},
        }
        if core.capture_content:
            request["messages"] = _inputs.messages(
                kwargs.get("messages") or kwargs.get("input") or payload.get("messages")
            )
            given = payload.get("model_parameters") or kwargs.get("optional_params")
            if isinstance(given, Mapping):
                skipped = ("tools", "extra_headers", "extra_body", "stream_options")
                request["params"] = {n: plain(v) for n, v in given.items() if n not in skipped}
        return _litellm.present(request)

    def _response(
        self,
        call_id: str,
        kwargs: Any,
        payload: Mapping[str, Any],
        answer: Any,
        begun: Any,
        ended: Any,
        failed: bool,
    ) -> dict[str, Any]:
        core = self._client._core
        started = _litellm.seconds(payload.get("startTime"), begun)
        finished = _litellm.seconds(payload.get("endTime"), ended)
        found = Reading() if failed else read(answer)
        if (
            not found.output
            and not found.tool_calls
            and not failed
            and payload.get("response") is not None
        ):
            found.output = read(payload["response"]).output
        response: dict[str, Any] = {
            "event_id": f"litellm-{call_id}-response",
            "time": timestamp(finished),
            "request_id": call_id,
            "response_id": found.response_id or str(payload.get("id") or call_id),
            "status": "ok",
            **self._common(kwargs, payload),
            "model": _litellm.answered_by(found.model, answer, payload),
            "finish_reason": found.finish_reason,
            "system_fingerprint": found.system_fingerprint,
            "service_tier": found.service_tier,
            "usage": found.usage,
            "latency_ms": round(max(finished - started, 0.0) * 1000, 3),
            "ttft_ms": _litellm.ttft(payload, kwargs, started),
            "rails": _litellm.metadata(kwargs).get(_RAILS),
        }
        if payload.get("cache_hit") is not None:
            response["cache"] = "hit" if payload["cache_hit"] else "miss"
        if core.capture_content:
            response["output"], response["tool_calls"] = found.output, found.tool_calls or None
        cost = payload.get("response_cost")
        if self._trust_cost and isinstance(cost, (int, float)) and cost > 0:
            response["cost_usd"] = cost
        if failed:
            error = kwargs.get("exception")
            response["status"] = status_of(error) if isinstance(error, BaseException) else "error"
            response["error"] = _litellm.error(error, payload)
        return _litellm.present(response)


class MiranteGuardrail(CustomGuardrail):
    """LiteLLM guardrail that obeys kill switches and throttles (also those that budgets set) and
    the client's input rails before a call is made. For the proxy (``mode: pre_call``), and for the
    library's and the router's async calls as one of ``litellm.callbacks``. A refused call raises
    :class:`mirante.Refused`, from the proxy a 403, or 429 for a throttle.

    The library's plain ``litellm.completion`` asks no guardrail: use :meth:`mirante.Client.call`.

    Example::

        client = mirante.AsyncClient("http://localhost:4319")
        litellm.callbacks = [mirante.litellm.MiranteGuardrail(client),
        mirante.litellm.MiranteLogger(client)]
    """

    def __init__(self, client: AnyClient | None = None, **options: Any) -> None:
        options.setdefault("guardrail_name", "mirante")
        options.setdefault("event_hook", "pre_call")
        options.setdefault("default_on", True)
        super().__init__(**options)
        self._client = client or Client()

    async def async_pre_call_hook(
        self, user_api_key_dict: Any, cache: Any, data: dict[str, Any], call_type: Any
    ) -> dict[str, Any]:
        """The proxy is about to make a call."""
        try:
            await self._check(data, str(call_type), user_api_key_dict)
        except Refused as refused:
            raise _as_http(refused) from refused
        return data

    async def async_pre_call_deployment_hook(
        self, kwargs: dict[str, Any], call_type: Any
    ) -> dict[str, Any]:
        """A model is about to be asked: by the library, or by a router (the proxy's too) that has
        chosen it, perhaps as another try."""
        metadata = kwargs.get("metadata") or {}
        again = any(
            isinstance(n := metadata.get(name), int) and n > 0
            for name in ("attempted_retries", "attempted_fallbacks")
        )
        try:
            await self._check(
                kwargs, getattr(call_type, "value", str(call_type)), None, again=again
            )
        except Refused as refused:
            raise _RAISED[type(refused)](refused.by, refused.detail) from None
        return kwargs

    async def _check(
        self, data: dict[str, Any], call_type: str, key: Any, *, again: bool = False
    ) -> None:
        metadata = data.get("metadata")
        metadata = dict(metadata) if isinstance(metadata, Mapping) else {}
        # By the proxy, before its router chose a model: what may be killed now is that model.
        checked = metadata.get(_MARK) == _CHECKED
        inputs = "messages" if "messages" in data else "input"
        fields = _litellm.known(metadata, {}, data)
        for name, member in (("tenant", "team_alias"), ("user_id", "end_user_id")):
            if fields.get(name) is None and (value := get(key, member)):
                fields[name] = value
        call: Call = self._client._new_call(
            model=_litellm.bare(data.get("model")),
            messages=data.get(inputs),
            announce=False,
            again=again or checked,
            input_rails=() if checked else None,
            operation=_OPERATIONS.get(call_type),
            **{n: v for n, v in fields.items() if n in _litellm.FIELDS},
        )
        await aopen_call(self._client, call)
        if call.refusal is not None:
            raise call.refusal[0]
        if call.messages is not data.get(inputs):
            data[inputs] = call.messages
            _show(data.get("litellm_logging_obj"), call.messages)
        metadata[_MARK] = _CHECKED
        if call.verdicts:
            metadata[_RAILS] = call.verdicts
        data["metadata"] = metadata


def _show(logging: Any, messages: Any) -> None:
    """Callbacks are told what goes to the provider, not what came in."""
    details = getattr(logging, "model_call_details", None)
    if isinstance(details, dict):
        details.update({name: messages for name in ("messages", "input") if details.get(name)})
        logging.messages = messages


def _as_http(refused: Refused) -> Exception:
    """As the proxy answers it."""
    try:
        from fastapi import HTTPException
    except ImportError:
        return refused
    error: Exception = HTTPException(
        status_code=429 if isinstance(refused, Throttled) else 403,
        detail={"error": str(refused), "type": "mirante_refused", "by": refused.by},
    )
    setattr(error, _MARK, True)
    return error


def _is_new(known: OrderedDict[str, None], call_id: str) -> bool:
    if call_id in known:
        return False
    known[call_id] = None
    while len(known) > _REMEMBERED:
        known.popitem(last=False)
    return True


__all__ = ["MiranteGuardrail", "MiranteLogger"]
