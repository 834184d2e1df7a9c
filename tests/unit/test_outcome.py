"""How a call ended: what providers write, and the failures that must not look like answers."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.inspection.outcome import (
    _OUTCOME_OF,
    FINISH_REASONS,
    Outcome,
    OutcomeName,
    classify,
    normalise_finish_reason,
)

OUTCOMES = {"ok", "refusal", "content_filter", "truncated", "api_error", "timeout", "cancelled", "blocked"}


@dataclass
class Finding:
    verdict: str


# --- finish reasons -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "normalised", "outcome"),
    [
        # OpenAI chat completions, Azure OpenAI
        ("stop", "stop", "ok"),
        ("length", "length", "truncated"),
        ("tool_calls", "tool_call", "ok"),
        ("function_call", "tool_call", "ok"),
        ("content_filter", "content_filter", "content_filter"),
        # OpenAI responses
        ("completed", "stop", "ok"),
        ("max_output_tokens", "length", "truncated"),
        ("failed", "error", "api_error"),
        # Anthropic
        ("end_turn", "stop", "ok"),
        ("max_tokens", "length", "truncated"),
        ("stop_sequence", "stop", "ok"),
        ("tool_use", "tool_call", "ok"),
        ("refusal", "refusal", "refusal"),
        ("pause_turn", "pause", "ok"),
        ("model_context_window_exceeded", "length", "truncated"),
        # Gemini, Vertex AI
        ("STOP", "stop", "ok"),
        ("FinishReason.MAX_TOKENS", "length", "truncated"),
        ("SAFETY", "content_filter", "content_filter"),
        ("RECITATION", "content_filter", "content_filter"),
        ("LANGUAGE", "content_filter", "content_filter"),
        ("BLOCKLIST", "content_filter", "content_filter"),
        ("PROHIBITED_CONTENT", "content_filter", "content_filter"),
        ("SPII", "content_filter", "content_filter"),
        ("OTHER", "error", "api_error"),
        ("MALFORMED_FUNCTION_CALL", "error", "api_error"),
        # Bedrock
        ("guardrail_intervened", "content_filter", "content_filter"),
        ("content_filtered", "content_filter", "content_filter"),
        ("FINISH", "stop", "ok"),
        # Cohere
        ("COMPLETE", "stop", "ok"),
        ("ERROR", "error", "api_error"),
        ("ERROR_TOXIC", "content_filter", "content_filter"),
        ("ERROR_LIMIT", "length", "truncated"),
        ("USER_CANCEL", "cancelled", "cancelled"),
        ("TIMEOUT", "timeout", "timeout"),
        # Mistral, vLLM, TGI, DeepSeek, Zhipu
        ("model_length", "length", "truncated"),
        ("abort", "cancelled", "cancelled"),
        ("eos_token", "stop", "ok"),
        ("insufficient_system_resource", "error", "api_error"),
        ("sensitive", "content_filter", "content_filter"),
        ("network_error", "error", "api_error"),
        # OpenTelemetry, Vercel AI SDK
        ("tool_call", "tool_call", "ok"),
        ("error", "error", "api_error"),
        ("compaction", "compaction", "ok"),
        ("content-filter", "content_filter", "content_filter"),
        ("tool-calls", "tool_call", "ok"),
    ],
)
def test_finish_reasons_of_providers(raw: str, normalised: str, outcome: OutcomeName) -> None:
    assert classify("ok", raw) == Outcome(outcome, normalised, True)
    assert normalise_finish_reason(raw) == normalised


def test_every_normalised_reason_has_an_outcome() -> None:
    assert set(FINISH_REASONS.values()) == set(_OUTCOME_OF)


def test_a_reason_nobody_knows_is_kept_as_written_and_counted() -> None:
    assert classify("ok", "Some_New_Reason") == Outcome("ok", "Some_New_Reason", False)
    assert classify("ok", "x" * 10_000) == Outcome("ok", "x" * 10_000, False)


@pytest.mark.parametrize("raw", ["upstream_error", "GENERATION_FAILED", "FailedDependency", "internal-error"])
def test_an_unknown_reason_that_speaks_of_failure_is_a_failure(raw: str) -> None:
    assert classify("ok", raw) == Outcome("api_error", raw, False)


@pytest.mark.parametrize("raw", [None, "", "  "])
def test_no_finish_reason_is_nothing_unknown(raw: str | None) -> None:
    assert classify("ok", raw) == Outcome("ok", None, True)


# --- errors ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error_type", "code", "message", "outcome"),
    [
        # content filters that arrive as errors
        ("invalid_request_error", "content_filter", None, "content_filter"),
        (None, 400, "The response was filtered due to the prompt triggering Azure OpenAI's content management policy.",
         "content_filter"),
        ("image_generation_user_error", "content_policy_violation", None, "content_filter"),
        ("ContentPolicyViolationError", 400, None, "content_filter"),
        ("invalid_request_error", 400, "Output blocked by content filtering policy", "content_filter"),
        ("BadRequestError", 400, "Content Exists Risk", "content_filter"),
        (None, "ResponsibleAIPolicyViolation", None, "content_filter"),
        # refusals and limits that client libraries raise
        ("refusal", None, None, "refusal"),
        ("openai.LengthFinishReasonError", None, None, "truncated"),
        # timeouts
        ("timeout", None, None, "timeout"),
        ("openai.APITimeoutError", None, "Request timed out.", "timeout"),
        ("httpx.ReadTimeout", None, None, "timeout"),
        (None, 408, None, "timeout"),
        (None, "504", None, "timeout"),
        ("DEADLINE_EXCEEDED", 504, None, "timeout"),
        ("google.api_core.exceptions.DeadlineExceeded", None, None, "timeout"),
        ("AxiosError", "ECONNABORTED", "timeout of 15000ms exceeded", "timeout"),
        ("ModelTimeoutException", 408, None, "timeout"),
        (None, None, "upstream timed out", "timeout"),
        # somebody gave up
        ("CancelledError", None, None, "cancelled"),
        ("asyncio.exceptions.CancelledError", None, None, "cancelled"),
        ("AbortError", None, "This operation was aborted", "cancelled"),
        ("APIUserAbortError", None, "Request was aborted.", "cancelled"),
        ("aborted", None, None, "cancelled"),
        (None, 499, None, "cancelled"),
        (None, None, "context canceled", "cancelled"),
        # the rest is the API's failure
        ("rate_limit_error", 429, None, "api_error"),
        ("RateLimitError", 429, "Please retry; requests beyond the limit may see a timeout", "api_error"),
        ("overloaded_error", 529, None, "api_error"),
        ("ThrottlingException", None, None, "api_error"),
        ("context_length_exceeded", 400, None, "api_error"),
        ("server_error", 500, None, "api_error"),
        ("ConnectionError", "ECONNREFUSED", "connection refused", "api_error"),
        ("ConnectionError", None, "('Connection aborted.', RemoteDisconnected())", "api_error"),
        ("something new", "E42", None, "api_error"),
        (None, None, None, "api_error"),
    ],
)  # fmt: skip
def test_errors(error_type: str | None, code: str | int | None, message: str | None, outcome: OutcomeName) -> None:
    assert classify("error", None, error_type, code, message).outcome == outcome


def test_an_error_that_says_nothing_is_told_by_the_finish_reason() -> None:
    assert classify("error", "content_filter").outcome == "content_filter"
    assert classify("error", "length", "ParseError").outcome == "truncated"
    assert classify("error", "stop", "ParseError").outcome == "api_error"
    assert classify("error", "length", "RateLimitError", 429).outcome == "api_error"


def test_an_error_beside_status_ok_is_an_error() -> None:
    assert classify("ok", "stop", "server_error", 500).outcome == "api_error"
    assert classify("ok", None, None, "content_filter").outcome == "content_filter"


@pytest.mark.parametrize("code", [0, "0", 200, "", None, "none"])
def test_a_code_that_means_no_error(code: str | int | None) -> None:
    assert classify("ok", "stop", "", code).outcome == "ok"


# --- precedence -----------------------------------------------------------------------------------------------


def test_a_rail_that_blocked_decides() -> None:
    rails = [Finding("pass"), Finding("block")]
    assert classify("ok", "stop", rails=rails).outcome == "blocked"
    assert classify("error", None, "server_error", 500, rails=rails).outcome == "blocked"
    assert classify("blocked", "content_filter").outcome == "blocked"


def test_rails_that_passed_or_flagged_change_nothing() -> None:
    assert classify("ok", "stop", rails=[Finding("pass"), Finding("flag")]) == Outcome("ok", "stop", True)


def test_the_service_knows_best_that_it_gave_up() -> None:
    assert classify("timeout", "stop").outcome == "timeout"
    assert classify("cancelled", "length", "TimeoutError").outcome == "cancelled"
    assert classify("TIMEOUT").outcome == "timeout"


def test_a_status_outside_the_contract_is_not_ok() -> None:
    assert classify("done", "stop") == Outcome("api_error", "stop", False)


words = st.one_of(st.none(), st.text(max_size=30), st.sampled_from(sorted(FINISH_REASONS)))


@given(st.sampled_from(["ok", "error", "timeout", "cancelled", "blocked"]), words, words, words, words)
def test_any_answer_has_an_outcome(
    status: str, reason: str | None, kind: str | None, code: str | None, message: str | None
) -> None:
    found = classify(status, reason, kind, code, message)
    assert found.outcome in OUTCOMES
    assert status != "error" or found.outcome != "ok"
    assert classify(status.upper(), reason, kind, code, message) == found
