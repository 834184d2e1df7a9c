"""What the guards of the model's work say of a call: is it refused, what does it bring that attacks, is it the JSON that was asked for."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from agents.inspection.attempts import Attempt, attempts
from agents.inspection.schema import UNCHECKED, Validity, validity
from agents.inspection.text.refusal import refusals
from schemas.events import Request, Response

_WRITTEN = frozenset({"chat", "text_completion", "invoke_agent"})
"""Operations whose output is an answer that a model wrote."""


class Verdict(msgspec.Struct, gc=False):
    """Of one call. ``refused``: its answer declines; whether it counts as a refusal depends on its outcome."""

    refused: bool
    attempts: list[Attempt]
    validity: Validity


def verdicts(calls: Sequence[tuple[Request, Response]]) -> list[Verdict]:
    """On each of ``calls``: one guard after the other over all of them."""
    refused = refusals(
        [
            (response.output or "") if request.operation in _WRITTEN else ""
            for request, response in calls
        ]
    )
    brought = [attempts(request) for request, _ in calls]
    checked = [
        validity(request.output_schema, response.output) if request.output_schema is not None and response.output else UNCHECKED
        for request, response in calls
    ]
    return list(map(Verdict, refused, brought, checked))
