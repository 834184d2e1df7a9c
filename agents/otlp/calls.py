"""The spans of a trace as calls and steps, each once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import msgspec

from agents.otlp import heard
from agents.otlp.dialects.choice import understand
from agents.otlp.events import TracedCall, call_of
from agents.otlp.names import AttributeNames, Whose, whose
from agents.otlp.once import Key, calls_of, outside_in, parents_of
from agents.otlp.step import STEPS, Step, StepKind
from schemas.otlp import LogRecord, Span

__all__ = ["Resolved", "TracedCall", "resolve"]

_pack = msgspec.msgpack.Encoder(order="deterministic").encode


class Resolved(msgspec.Struct, gc=False):
    """What the spans known of one trace say, in the order of their start."""

    calls: list[TracedCall] = []
    steps: list[TracedCall] = []
    kinds: dict[str, StepKind] = {}
    """Of all spans, by their id."""


def resolve(spans: Sequence[Span], logs: Sequence[LogRecord], names: AttributeNames) -> Resolved:
    """The calls and steps of one trace, in whatever order and how often its spans are given.

    Never raises. Spans of no interest to Mirante give nothing. Spans of several traces may be given
    together: what two libraries tell of one call in a trace each is then one call.
    """
    known = _once(spans)
    said = _by_span(logs)
    steps: dict[Key, Step] = {}
    for key in sorted(known, key=lambda key: (known[key].start_ns or known[key].end_ns, key)):
        step = steps[key] = understand(known[key])
        if step.kind != "other":
            heard.hear(step, [*heard.of_span(known[key]), *map(heard.of_log, said.get(key, ()))])
    parents = parents_of(steps)
    calls = calls_of(steps, parents)
    part_of = {key for key, step in steps.items() if step.kind in STEPS} | calls.keys()
    order = outside_in(steps, parents)
    around = _published_around(order, steps, parents, part_of)
    owners = _owners(order, known, steps, parents, names)
    resolved = Resolved(kinds={key[1]: step.kind for key, step in steps.items()})
    for key, step in steps.items():
        if key not in part_of:
            continue
        others = calls.get(key, [])
        owner = owners[key]
        for other in others:
            owner = owner.around(owners[other])
        call = call_of(step, [steps[other] for other in others], around[key], owner)
        (resolved.calls if key in calls else resolved.steps).append(call)
    return resolved


def _once(spans: Sequence[Span]) -> dict[Key, Span]:
    """Each span once. Of two that differ under one id, the one that ended later."""
    known: dict[Key, Span] = {}
    for span in spans:
        key = (span.trace_id, span.span_id)
        other = known.get(key)
        if other is None or (
            other != span and (span.end_ns, _pack(span)) > (other.end_ns, _pack(other))
        ):
            known[key] = span
    return known


def _by_span(logs: Sequence[LogRecord]) -> Mapping[Key, list[LogRecord]]:
    """The log records of each span, each once, in order of time; instructions come first."""
    found: defaultdict[Key, dict[tuple[int, bool, bytes], LogRecord]] = defaultdict(dict)
    for record in logs:
        if record.span_id:
            at = (record.time_ns, record.name != heard.INSTRUCTIONS, _pack(record))
            found[record.trace_id, record.span_id][at] = record
    return {key: [records[at] for at in sorted(records)] for key, records in found.items()}


def _published_around(
    order: Sequence[Key], steps: Mapping[Key, Step], parents: Mapping[Key, Key], published: set[Key]
) -> dict[Key, str]:
    """The id of the nearest span around each that is published. Where no such span is known, that
    of the span that has not arrived; "" for a root."""
    around: dict[Key, str] = {}
    for key in order:
        outer = parents.get(key)
        if outer is None:
            around[key] = steps[key].parent_id
        else:
            around[key] = outer[1] if outer in published else around[outer]
    return around


def _owners(
    order: Sequence[Key],
    known: Mapping[Key, Span],
    steps: Mapping[Key, Step],
    parents: Mapping[Key, Key],
    names: AttributeNames,
) -> dict[Key, Whose]:
    """Whose each span is: as it says, as those around it say, as its resource says."""
    own: dict[Key, Whose] = {}
    of_resource: dict[int, Whose] = {}
    for key in order:
        span, extra = known[key], steps[key].extra
        own[key] = whose({**span.attributes, **extra} if extra else span.attributes, names)
        if (outer := parents.get(key)) is not None:
            own[key] = own[key].around(own[outer])
        if id(span.resource) not in of_resource:
            of_resource[id(span.resource)] = whose(span.resource, names)
    return {key: who.around(of_resource[id(known[key].resource)]) for key, who in own.items()}
