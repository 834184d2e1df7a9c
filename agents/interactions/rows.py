"""Rows of ClickHouse made from events."""

from __future__ import annotations

from datetime import UTC
from functools import partial

import msgspec

from agents.inspection.attempts import Attempt, attempts
from agents.inspection.outcome import Outcome, classify
from agents.inspection.schema import UNCHECKED
from agents.inspection.verdicts import Verdict
from agents.pricing import PriceBook, Tokens
from schemas.aggregates import OUTCOME_INDEX, UNANSWERED, Contribution, Series
from schemas.events import MODEL_CALLS, Evaluation, Extra, Feedback, Request, Response, Usage
from schemas.rows import EvaluationRow, FeedbackRow, InteractionRow, in_picodollars, merged_extra, picodollars
from schemas.usage import contradictions

# Of their fields, for every call: the constructors of named tuples take several times as long.
_contribution = partial(tuple.__new__, Contribution)
_series = partial(tuple.__new__, Series)
_tokens = partial(tuple.__new__, Tokens)

_NO_TOKENS = (0, 0, 0, 0, 0)
_NOTHING = Extra(None)

NOT_BILLED = frozenset({"api_error", "timeout", "cancelled", "blocked"})
"""Outcomes for which a missing usage means that nothing was billed, not that the price is unknown."""

ANSWERED = 2
"""Version of an interaction's row that holds request and response; 1 holds the request alone."""


def series_of(request: Request, response: Response | None) -> Series:
    """The dimensions an interaction is counted by; an absent one is the empty string, as in its row."""
    return _series(
        (
            request.tenant or "",
            request.feature or "",
            request.environment or "",
            request.provider or "",
            (response.model if response is not None else None) or request.model,
            (request.prompt.sha if request.prompt is not None else None) or "",
            request.variant or "",
        )
    )


def unanswered(request: Request, extra: Extra | None) -> tuple[InteractionRow, Contribution]:
    """An interaction whose response has not come."""
    row = _request_row(request, 1, "unanswered", attempts(request))
    row.model = request.model
    if extra is not None:
        row.extra, row.odd_fields = merged_extra(extra.text, None), extra.odd_fields
    return row, Contribution(UNANSWERED, _NO_TOKENS, None, None, None)


def answered(
    request: Request,
    request_extra: Extra | None,
    response: Response,
    response_extra: Extra | None,
    prices: PriceBook,
    verdict: Verdict,
) -> tuple[InteractionRow, Contribution, Outcome]:
    """An interaction with its response: outcome, tokens and cost."""
    error, usage = response.error, response.usage
    outcome = classify(
        response.status,
        response.finish_reason,
        error.type if error is not None else None,
        error.code if error is not None else None,
        error.message if error is not None else None,
        response.rails,
    )
    if outcome.outcome == "ok" and verdict.refused:
        outcome = msgspec.structs.replace(outcome, outcome="refusal")
    row = _request_row(request, ANSWERED, outcome.outcome, verdict.attempts)
    if verdict.validity is not UNCHECKED:
        row.json_valid, row.json_error = verdict.validity
    row.response_event_id = response.event_id
    row.response_id = response.response_id
    row.response_time = response.time
    row.status = response.status
    row.model = response.model or request.model
    row.finish_reason = response.finish_reason or ""
    row.output = response.output or ""
    if response.system_fingerprint:
        row.system_fingerprint = response.system_fingerprint
    if response.cache:
        row.cache = response.cache
    row.latency_ms = response.latency_ms
    row.ttft_ms = response.ttft_ms
    if error is not None:
        row.error_type = error.type or ""
        row.error_code = "" if error.code is None else str(error.code)
        row.error_message = error.message or ""
    if response.tool_calls:
        row.tool_calls = response.tool_calls
    if response.rails:
        row.rails = response.rails
    if request_extra is not None or response_extra is not None:
        asked, said = request_extra or _NOTHING, response_extra or _NOTHING
        row.extra = merged_extra(asked.text, said.text)
        row.odd_fields = list(dict.fromkeys((*asked.odd_fields, *said.odd_fields)))
    if response.service_tier:
        row.service_tier = response.service_tier
    if response.region:
        row.region = response.region
    tokens, used = _NO_TOKENS, False
    if usage is not None:
        used = usage.input_tokens is not None or usage.output_tokens is not None or bool(usage.requests)
        tokens = _count(usage, row)
        if response_extra is not None and response_extra.usage_unknown:
            row.usage_unknown = list(dict.fromkeys((*response_extra.usage_unknown, *row.usage_unknown)))
    cost = _price(request, response, usage, row, prices)
    billed = used or (request.operation in MODEL_CALLS and outcome.outcome not in NOT_BILLED)
    unpriced = cost is None and billed
    latency_ms, ttft_ms, written = row.latency_ms, row.ttft_ms, tokens[1]
    tpot_ms = None
    if written >= 2 and ttft_ms is not None and latency_ms is not None and latency_ms > ttft_ms:  # else it did not stream
        tpot_ms = (latency_ms - ttft_ms) / (written - 1)
    number, is_partial = OUTCOME_INDEX[outcome.outcome], row.cost_source == "partial"
    item = _contribution((number, tokens, cost, latency_ms, ttft_ms, unpriced, response.response_id, (), tpot_ms, is_partial))
    return row, item, outcome


def _count(usage: Usage, row: InteractionRow) -> tuple[int, int, int, int, int]:
    """Sets the counts of the row, and what is contradictory in them; returns those that windows sum."""
    tokens_in, tokens_out = usage.input_tokens, usage.output_tokens
    read, write, reasoning = usage.cache_read_tokens, usage.cache_write_tokens, usage.reasoning_tokens
    row.input_tokens, row.output_tokens = tokens_in, tokens_out
    row.cache_read_tokens, row.cache_write_tokens, row.reasoning_tokens = read, write, reasoning
    tokens = tokens_in or 0, tokens_out or 0, read or 0, write or 0, reasoning or 0
    audio_in, audio_out = usage.input_audio_tokens, usage.output_audio_tokens
    image_in, image_out, hour = usage.input_image_tokens, usage.output_image_tokens, usage.cache_write_1h_tokens
    audio_read, image_read = usage.cache_read_audio_tokens, usage.cache_read_image_tokens
    is_plain = audio_in is audio_out is image_in is image_out is hour is audio_read is image_read is None
    if not is_plain:
        row.cache_read_audio_tokens, row.cache_read_image_tokens = audio_read, image_read
        row.input_audio_tokens, row.output_audio_tokens = audio_in, audio_out
        row.input_image_tokens, row.output_image_tokens, row.cache_write_1h_tokens = image_in, image_out, hour
    if usage.requests:
        row.usage_requests = {name: count for name, count in usage.requests.items() if count}
    if not is_plain or tokens[2] + tokens[3] > tokens[0] or tokens[4] > tokens[1]:
        row.usage_unknown = contradictions(usage)
    return tokens


def _price(request: Request, response: Response, usage: Usage | None, row: InteractionRow, prices: PriceBook) -> int | None:
    """Cost in picodollars; sets cost, source and price book on the row."""
    if response.cost_usd is not None and (response.cost_usd or not _was_charged(response, usage)):
        row.cost_source = "reported"
        reported = in_picodollars(response.cost_usd)
        row.cost_usd = picodollars(reported)
        return reported
    row.price_book_version = prices.version
    if usage is None:
        return None
    moment = request.time if request.time.tzinfo is UTC else request.time.astimezone(UTC)
    tier: object = response.service_tier
    if not tier and request.params:
        tier = request.params.get("service_tier")
    tokens = _tokens(
        (
            usage.input_tokens,
            usage.output_tokens,
            usage.cache_read_tokens,
            usage.cache_write_tokens,
            usage.reasoning_tokens,
            usage.cache_write_1h_tokens,
            usage.input_audio_tokens,
            usage.output_audio_tokens,
            usage.input_image_tokens,
            usage.output_image_tokens,
            tuple(sorted(row.usage_requests.items())) if row.usage_requests else (),
            not row.usage_unknown,
            usage.cache_read_audio_tokens,
            usage.cache_read_image_tokens,
        )
    )
    price = prices.price(
        request.provider,
        row.model,
        moment.date(),
        tokens,
        tier if isinstance(tier, str) else None,
        at=moment.time(),
        region=response.region or None,
    )
    row.cost_source = price.source
    if price.picodollars is None:
        return None
    row.cost_usd = picodollars(price.picodollars)
    return price.picodollars


def _was_charged(response: Response, usage: Usage | None) -> bool:
    """Whether a reported cost of 0 cannot be true: libraries report 0 for models they know no price of."""
    return usage is not None and response.cache != "hit" and bool(usage.input_tokens or usage.output_tokens or usage.requests)


def _request_row(request: Request, version: int, outcome: str, found: list[Attempt]) -> InteractionRow:
    row = InteractionRow(
        time=request.time,
        request_id=request.request_id,
        version=version,
        outcome=outcome,
        request_event_id=request.event_id,
        session_id=request.session_id or "",
        tenant=request.tenant or "",
        feature=request.feature or "",
        environment=request.environment or "",
        user_id=request.user_id or "",
        trace_id=request.trace_id or "",
        span_id=request.span_id or "",
        parent_span_id=request.parent_span_id or "",
        operation=request.operation or "",
        provider=request.provider or "",
        model_requested=request.model,
        system_instructions=request.system_instructions or "",
        timeout_ms=request.timeout_ms or 0,
        variant=request.variant or "",
        shadow_of=request.shadow_of or "",
    )
    if request.prompt is not None:
        row.prompt_name = request.prompt.name or ""
        row.prompt_sha = request.prompt.sha or ""
        if request.prompt.variables:
            row.prompt_variables = request.prompt.variables
    if request.messages:
        row.messages = request.messages
    if request.params:
        row.params = request.params
    if request.documents:
        row.documents = request.documents
        row.index_version = request.documents[0].index_version or ""
    if request.tools:
        row.tools = request.tools
    if request.output_schema is not None:
        row.output_schema = request.output_schema
    if found:
        row.injection = found
    return row


def feedback_row(event: Feedback, extra: Extra | None) -> FeedbackRow:
    """A user's signal as its row."""
    row = FeedbackRow(
        time=event.time,
        event_id=event.event_id,
        kind=event.kind,
        tenant=event.tenant or "",
        session_id=event.session_id or "",
        request_id=event.request_id or "",
        response_id=event.response_id or "",
        value=event.value,
        comment=event.comment or "",
        user_id=event.user_id or "",
    )
    if extra is not None:
        row.extra, row.odd_fields = (extra.text or b"{}").decode(), extra.odd_fields
    return row


def evaluation_row(event: Evaluation, extra: Extra | None) -> EvaluationRow:
    """A score as its row."""
    row = EvaluationRow(
        time=event.time,
        event_id=event.event_id,
        response_id=event.response_id,
        name=event.name,
        score=event.score,
        tenant=event.tenant or "",
        session_id=event.session_id or "",
        request_id=event.request_id or "",
        label=event.label or "",
        explanation=event.explanation or "",
        source=event.source or "",
    )
    if extra is not None:
        row.extra, row.odd_fields = (extra.text or b"{}").decode(), extra.odd_fields
    return row


