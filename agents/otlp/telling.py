"""One look at a trace: what was understood of it, and which of its spans have been dealt with."""

from __future__ import annotations

from collections.abc import Iterator

from agents.otlp.calls import Resolved, TracedCall
from agents.otlp.held import CALL, NOTHING, WAITS
from agents.otlp.step import STEPS
from agents.otlp.traces import Case, Traces
from schemas.otlp import Span
from streams.effects import Effects


class Telling:
    """A case of ``traces``, what was ``found`` in it, and the effects that tell of it."""

    def __init__(self, case: Case, traces: Traces, found: Resolved, effects: Effects) -> None:
        self.case = case
        self.traces = traces
        self.effects = effects
        self._spans = {span.span_id: span for span in case.spans}
        self._due = dict.fromkeys(case.due)
        self._kinds = found.kinds
        self._steps = {span_id for span_id, kind in found.kinds.items() if kind in STEPS}
        self._owners = {_span_id(key): call for call in (*found.steps, *found.calls) for key in call.span_ids[1:]}

    def first(self, call: TracedCall) -> Span:
        """The span that names a call or step."""
        return self._spans[_span_id(call.span_ids[0])]

    def spans_of(self, call: TracedCall) -> list[Span]:
        """All spans that tell of a call, the first as of `first`."""
        return [self._spans[_span_id(key)] for key in call.span_ids]

    def is_due(self, call: TracedCall) -> bool:
        """Whether the moment has come at which the call is told of."""
        return _span_id(call.span_ids[0]) in self._due

    def counts_already(self, call: TracedCall) -> bool:
        """Whether a call of its spans was published before."""
        return self.traces.counts_already(self.case, [_span_id(key) for key in call.span_ids], self._steps)

    def stands_alone(self, call: TracedCall) -> bool:
        """Whether nothing is around a call but spans that tell of it too."""
        own = {_span_id(key) for key in call.span_ids}
        return all(above in own for above, _ in self.traces.around(self.case, self.first(call).span_id))

    def over(self, span_id: str, status: int, what: str = "") -> None:
        """A span is dealt with. ``what``: how it is counted; spans that say nothing of AI are ignored."""
        self._due.pop(span_id, None)
        self.traces.tell(self.case, span_id, status)
        if status == NOTHING:
            self.effects.count("otlp_ignored", "span")
        elif what:
            self.effects.count("otlp_spans", what)

    def rest(self) -> Iterator[tuple[Span, TracedCall | None]]:
        """What is due and neither call nor step; with the call it tells of."""
        for span_id in list(self._due):
            yield self._spans[span_id], self._owners.get(span_id)

    def call_around(self, span_id: str) -> str:
        """The response_id of the call that a span is part of, "" if of none."""
        found = (above for above, status in self.traces.around(self.case, span_id) if status == CALL)
        call = next(found, "")
        return f"{self._spans[span_id].trace_id}-{call}" if call else ""

    def shown_around(self, span_id: str) -> str:
        """The nearest span around that is shown in a trace, as far as is known."""
        for above, status in self.traces.around(self.case, span_id):
            if status > NOTHING or (status == WAITS and self._kinds.get(above) != "other"):
                return above
        return ""


def _span_id(key: str) -> str:
    """Of `TRACE-SPAN`."""
    return key.rpartition("-")[2]
