"""How a model call ended, as far as its status, finish reason and error say.

Precedence, first line that applies:

| # | what the answer says                                            | outcome                                        |
| - | --------------------------------------------------------------- | ---------------------------------------------- |
| 1 | status `blocked`, or a rail with verdict `block`                | blocked                                        |
| 2 | status `cancelled` / `timeout`                                  | cancelled / timeout: the service saw it itself |
| 3 | an error (status `error`, or an error type or code beside `ok`) |                                                |
|   | a. its type or code names a content filter, a refusal, a length limit, a timeout or a cancellation, in this order | as named |
|   | b. its message speaks of a content filter                       | content_filter                                 |
|   | c. its type or code is another known one (429, 500, overloaded) | api_error                                      |
|   | d. its message speaks of a timeout or a cancellation            | timeout, cancelled                             |
|   | e. the finish reason, if it says more than "ended"              | as in 4                                        |
|   | f. nothing of that                                              | api_error                                      |
| 4 | status `ok`: the finish reason, by table                        | ok, refusal, content_filter, truncated, ...    |
| 5 | status `ok`, a finish reason not in the table                   | api_error if it speaks of an error or failure, |
|   |                                                                 | else ok; `known` is False, to be counted       |
| 6 | any other status                                                | api_error; `known` is False                    |

A finish reason not in the table is kept as the provider wrote it: it is never made a `stop`. A refusal that only the text
shows is not seen here, but in `agents/inspection/text/refusal.py`: an `ok` answer that declines becomes a refusal.

Sources of the table: the API references of OpenAI (chat completions, responses), Azure OpenAI, Anthropic (messages),
Google (`Candidate.FinishReason` of Gemini and Vertex AI), AWS Bedrock (Converse `StopReason`, Titan), Cohere (v1 and v2),
Mistral, Ollama (`done_reason`), vLLM, Hugging Face TGI, Groq, Together, DeepSeek, Zhipu, IBM watsonx, the Vercel AI SDK, and
`gen_ai.response.finish_reasons` of the OpenTelemetry semantic conventions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, Literal, Protocol

import msgspec

__all__ = ["FINISH_REASONS", "Outcome", "OutcomeName", "RailLike", "classify", "normalise_finish_reason"]

OutcomeName = Literal["ok", "refusal", "content_filter", "truncated", "api_error", "timeout", "cancelled", "blocked"]


class RailLike(Protocol):
    """A guard's finding, as far as it is needed here."""

    @property
    def verdict(self) -> str | None:
        """``pass``, ``flag`` or ``block``; None if the service did not say."""


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """How a call ended."""

    outcome: OutcomeName
    finish_reason: str | None
    """Normalised (a value of `FINISH_REASONS`), or as the provider wrote it if it is not in the table; None if not given."""
    known: bool
    """False if the finish reason or the status was not understood: a metric counts these, so that the table can grow."""


# Finish reasons as providers write them (lower case, `-` and blanks as `_`) to ours.
FINISH_REASONS: Final[dict[str, str]] = {
    # The model came to its end.
    "stop": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "stop_token": "stop",
    "complete": "stop",
    "completed": "stop",
    "finish": "stop",
    "finished": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "endoftext": "stop",
    "end_of_text": "stop",
    "end": "stop",
    "done": "stop",
    # Ollama's, of a call that only loads or unloads a model.
    "load": "stop",
    "unload": "stop",
    # It calls a tool.
    "tool_call": "tool_call",
    "tool_calls": "tool_call",
    "tool_use": "tool_call",
    "function_call": "tool_call",
    # The answer goes on in the next call: a long-running server tool, a compacted context.
    "pause_turn": "pause",
    "compaction": "compaction",
    # It ran out of tokens.
    "length": "length",
    "max_tokens": "length",
    "max_output_tokens": "length",
    "max_new_tokens": "length",
    "max_completion_tokens": "length",
    "max_length": "length",
    "model_length": "length",
    "token_limit": "length",
    "incomplete": "length",
    "model_context_window_exceeded": "length",
    "context_length_exceeded": "length",
    "context_window_exceeded": "length",
    "error_limit": "length",
    # A filter of the provider stopped it.
    "content_filter": "content_filter",
    "content_filtered": "content_filter",
    "guardrail_intervened": "content_filter",
    "safety": "content_filter",
    "recitation": "content_filter",
    "language": "content_filter",
    "blocklist": "content_filter",
    "prohibited_content": "content_filter",
    "spii": "content_filter",
    "model_armor": "content_filter",
    "image_safety": "content_filter",
    "image_prohibited_content": "content_filter",
    "image_recitation": "content_filter",
    "error_toxic": "content_filter",
    "sensitive": "content_filter",
    # The model declined.
    "refusal": "refusal",
    # It went wrong: a failed generation must not look like one that ended.
    "error": "error",
    "failed": "error",
    "other": "error",
    "network_error": "error",
    "image_other": "error",
    "no_image": "error",
    "malformed_function_call": "error",
    "malformed_response": "error",
    "malformed_model_output": "error",
    "malformed_tool_use": "error",
    "unexpected_tool_call": "error",
    "too_many_tool_calls": "error",
    "missing_thought_signature": "error",
    "insufficient_system_resource": "error",
    "not_finished": "error",
    # Somebody stopped it.
    "cancelled": "cancelled",
    "canceled": "cancelled",
    "user_cancel": "cancelled",
    "abort": "cancelled",
    "aborted": "cancelled",
    "timeout": "timeout",
    "time_limit": "timeout",
}

_OUTCOME_OF: Final[dict[str, OutcomeName]] = {
    "stop": "ok",
    "tool_call": "ok",
    "pause": "ok",
    "compaction": "ok",
    "length": "truncated",
    "content_filter": "content_filter",
    "refusal": "refusal",
    "error": "api_error",
    "cancelled": "cancelled",
    "timeout": "timeout",
}

# Names are short; what a service wrongly puts in their place must not fill the caches.
_CACHED_CHARACTERS = 128

_OK_STOP = Outcome("ok", "stop", True)


def classify(
    status: str,
    finish_reason: str | None = None,
    error_type: str | None = None,
    error_code: str | int | None = None,
    error_message: str | None = None,
    rails: Iterable[RailLike] | None = None,
) -> Outcome:
    """How a call ended, from the fields of its response event (see the module for the precedence). Case does not matter.

    >>> classify("ok", "max_tokens").outcome
    'truncated'
    >>> classify("error", error_code=400, error_type="content_filter").outcome
    'content_filter'
    """
    if status == "ok" and finish_reason == "stop" and not rails and not error_type and not error_code:
        return _OK_STOP
    status = status.lower()
    reason, said, known = _finish_reason(finish_reason)
    if status == "blocked" or (rails and any((rail.verdict or "").lower() == "block" for rail in rails)):
        return Outcome("blocked", reason, known)
    if status == "cancelled":
        return Outcome("cancelled", reason, known)
    if status == "timeout":
        return Outcome("timeout", reason, known)
    code = "" if error_code is None else str(error_code)
    if status == "error" or (status == "ok" and _names_error(error_type or "", code)):
        found = _classify_error(error_type or "", code, error_message)
        return Outcome(found or (said if said != "ok" else "api_error"), reason, known)
    if status == "ok":
        return Outcome(said, reason, known)
    return Outcome("api_error", reason, False)


def normalise_finish_reason(raw: str | None) -> str | None:
    """A provider's finish reason in our words; as it was written if it is not in the table."""
    return _finish_reason(raw)[0]


def _finish_reason(raw: str | None) -> tuple[str | None, OutcomeName, bool]:
    """(normalised or raw, the outcome it speaks of, whether it is in the table)."""
    if raw is not None and len(raw) > _CACHED_CHARACTERS:
        return _read_finish_reason.__wrapped__(raw)
    return _read_finish_reason(raw)


@lru_cache(maxsize=1_024)
def _read_finish_reason(raw: str | None) -> tuple[str | None, OutcomeName, bool]:
    if raw is None or not raw.strip():
        return None, "ok", True
    # `FinishReason.MAX_TOKENS` is how Python prints an enum; Gemini's REST clients prefix `FINISH_REASON_`.
    word = re.sub(r"[\s-]+", "_", raw.strip().lower().rpartition(".")[2]).removeprefix("finish_reason_")
    reason = FINISH_REASONS.get(word)
    if reason is not None:
        return reason, _OUTCOME_OF[reason], True
    return raw, "api_error" if "error" in word or "fail" in word else "ok", False


# --- errors ---------------------------------------------------------------------------------------------------

# Services fill these in when there was no error.
_NO_ERROR = frozenset({"", "0", "200", "ok", "none", "null", "success"})

_TIMEOUT_CODES = frozenset({"408", "504", "524"})  # 524: Cloudflare's "a timeout occurred"
_CANCEL_CODES = frozenset({"499"})  # nginx and gRPC gateways: the client closed the request

# Matched against a type or code in lower case without punctuation: `openai.APITimeoutError` -> apitimeouterror.
_FILTER_NAMES = re.compile(
    r"contentfilter|contentpolicy|contentmoderation|moderationblocked|responsibleai|guardrail|datainspectionfailed"
    r"|promptblocked|blockedprompt|safetyviolation|usagepolicy|prohibitedcontent|^safety$|^recitation$|^blocklist$"
)
_REFUSAL_NAMES = re.compile(r"^(?:model)?refusal(?:error)?$")
_LENGTH_NAMES = re.compile(r"^lengthfinishreasonerror$|^incompleteoutput|^maxtokensreached")
_TIMEOUT_NAMES = re.compile(r"timeout|timedout|deadlineexceeded")
# `econnaborted` is how axios reports a timeout, hence no bare `abort` inside a word.
_CANCEL_NAMES = re.compile(r"cancell?ed|cancellation|usercancel|^(?:api)?(?:user)?abort(?:ed)?(?:error)?$|clientclosed")

# Messages are prose: only phrases that cannot mean anything else.
_FILTER_PHRASES = re.compile(
    r"content[ _-]?(?:filter|management policy|policy violation)|content_policy_violation|ResponsibleAIPolicyViolation"
    r"|blocked by content filtering policy|content exists risk|violat\w* (?:our |the )?(?:usage|content) (?:policy|policies|guidelines)"
    r"|blocked due to safety|data_inspection_failed|guardrail[_ ]intervened",
    re.IGNORECASE,
)
_TIMEOUT_PHRASES = re.compile(r"timed[ -]?out|\btime-?out\b|deadline[ _]exceeded", re.IGNORECASE)
_CANCEL_PHRASES = re.compile(
    r"(?:request|operation|call|stream) (?:was )?(?:cancell?ed|aborted)|cancell?ed by|context cancell?ed"
    r"|client (?:has )?(?:closed|disconnected)",
    re.IGNORECASE,
)

# A long message repeats the prompt; what went wrong stands at its start.
_MESSAGE_CHARACTERS = 2_000


def _names_error(error_type: str, code: str) -> bool:
    return error_type.strip().lower() not in _NO_ERROR or code.strip().lower() not in _NO_ERROR


def _classify_error(error_type: str, code: str, message: str | None) -> OutcomeName | None:
    """What the error says, None if it says nothing we know."""
    short = len(error_type) + len(code) <= _CACHED_CHARACTERS
    named = (_classify_names if short else _classify_names.__wrapped__)(error_type, code)
    if named not in (None, "api_error"):
        return named
    # A filter often hides behind a plain 400 or 403 and shows in the message alone.
    text = (message or "")[:_MESSAGE_CHARACTERS]
    if text and _FILTER_PHRASES.search(text):
        return "content_filter"
    if named is not None:
        return named
    if text and _TIMEOUT_PHRASES.search(text):
        return "timeout"
    if text and _CANCEL_PHRASES.search(text):
        return "cancelled"
    return None


@lru_cache(maxsize=1_024)
def _classify_names(error_type: str, code: str) -> OutcomeName | None:
    """What type and code say: None if nothing, api_error if they are those of a known API error."""
    names = [re.sub(r"[^a-z0-9]", "", part.lower().rpartition(".")[2]) for part in (error_type, code)]
    by_name: tuple[tuple[re.Pattern[str], OutcomeName], ...] = (
        (_FILTER_NAMES, "content_filter"),
        (_REFUSAL_NAMES, "refusal"),
        (_LENGTH_NAMES, "truncated"),
        (_TIMEOUT_NAMES, "timeout"),
        (_CANCEL_NAMES, "cancelled"),
    )
    for pattern, outcome in by_name:
        if any(pattern.search(name) for name in names):
            return outcome
    if not _TIMEOUT_CODES.isdisjoint(names):
        return "timeout"
    if not _CANCEL_CODES.isdisjoint(names):
        return "cancelled"
    if any(_API_ERROR_NAMES.search(name) for name in names):
        return "api_error"
    return None


# HTTP statuses, and what providers call rate limits, overload, bad requests and failures of authentication.
_API_ERROR_NAMES = re.compile(
    r"^[45]\d\d$|ratelimit|quota|throttl|toomanyrequests|resourceexhausted|overloaded|unavailable|servererror|internalerror"
    r"|invalidrequest|badrequest|authentication|permission|notfound|contextlength|billing"
)
