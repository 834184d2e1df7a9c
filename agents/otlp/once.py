"""One call is one call: which of the spans of a trace tell of the same one.

Libraries wrap each other, so several spans tell of one call of a model: a gateway's, the client
library's, the instrumentation's of it. The innermost made the call; those around it are no calls,
whether they repeat its usage or hold the sum of several.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from agents.otlp import usage
from agents.otlp.step import MODEL_CALLS, STEPS, Step

Key = tuple[str, str]
"""Trace and span id."""


def parents_of(steps: Mapping[Key, Step]) -> dict[Key, Key]:
    """The parent of each step that has one among them. Who is his own ancestor has none."""
    parents = {
        key: parent
        for key, step in steps.items()
        if (parent := (step.trace_id, step.parent_id)) in steps and parent != key
    }
    rooted: set[Key] = set()
    for key in sorted(parents):
        path: dict[Key, None] = {}
        while key in parents and key not in rooted and key not in path:
            path[key] = None
            key = parents[key]
        if key in path:
            around = list(path)[list(path).index(key) :]
            for member in around:
                del parents[member]
        rooted.update(path)
    return parents


def outside_in(keys: Iterable[Key], parents: Mapping[Key, Key]) -> list[Key]:
    """`keys`, each after its parent."""
    order: dict[Key, None] = {}
    for key in keys:
        path: list[Key] = []
        outer: Key | None = key
        while outer is not None and outer not in order:
            path.append(outer)
            outer = parents.get(outer)
        order.update(dict.fromkeys(reversed(path)))
    return list(order)


def calls_of(steps: Mapping[Key, Step], parents: Mapping[Key, Key]) -> dict[Key, list[Key]]:
    """The spans that made the calls of models, each with the others that tell of the same call.

    What the others know more is taken over into the step of the first.
    """
    inner: defaultdict[Key, list[Key]] = defaultdict(list)
    models = [key for key, step in steps.items() if step.kind in MODEL_CALLS]
    wrapped_by = _wrappers(steps, parents)
    for key in models:
        if key in wrapped_by:
            inner[wrapped_by[key]].append(key)
    calls: dict[Key, list[Key]] = {key: [] for key in models if key not in inner}
    for key, others in calls.items():
        innermost, outer = key, wrapped_by.get(key)
        while outer is not None and _tells_of(outer, innermost, steps, inner[outer]):
            complete(steps[key], steps[outer])
            others.append(outer)
            innermost, outer = outer, wrapped_by.get(outer)
    _join_twins(calls, steps)
    return calls


def complete(step: Step, other: Step) -> None:
    """What another span knows of the same call, where this one says nothing."""
    step.used = usage.union(step.used, other.used)
    step.provider = step.provider or other.provider
    step.model = step.model or other.model
    step.answered_by = step.answered_by or other.answered_by
    step.response_id = step.response_id or other.response_id
    step.cost_usd = step.cost_usd if step.cost_usd is not None else other.cost_usd
    step.params = {**other.params, **step.params}
    step.system = step.system or other.system
    step.input = step.input or other.input
    if not (step.output or step.tool_calls):
        step.output, step.tool_calls = other.output, other.tool_calls
    step.tools = step.tools or other.tools
    step.documents = step.documents or other.documents
    step.finish_reason = step.finish_reason or other.finish_reason
    step.ttft_ms = step.ttft_ms if step.ttft_ms is not None else other.ttft_ms
    step.is_streaming = step.is_streaming or other.is_streaming
    step.service_tier = step.service_tier or other.service_tier
    step.system_fingerprint = step.system_fingerprint or other.system_fingerprint
    step.region = step.region or other.region
    step.is_cached = step.is_cached if step.is_cached is not None else other.is_cached


def _wrappers(steps: Mapping[Key, Step], parents: Mapping[Key, Key]) -> dict[Key, Key]:
    """The nearest span of a model call around each. What a tool or an agent does in between is
    another call, not the same one seen from further out."""
    wrappers: dict[Key, Key] = {}
    for key in outside_in(steps, parents):
        outer = parents.get(key)
        if outer is None or steps[outer].kind in STEPS:
            continue
        if steps[outer].kind in MODEL_CALLS:
            wrappers[key] = outer
        elif outer in wrappers:
            wrappers[key] = wrappers[outer]
    return wrappers


def _tells_of(outer: Key, key: Key, steps: Mapping[Key, Step], inner: list[Key]) -> bool:
    """Whether a span around several calls, or one, tells of this one."""
    if len(inner) == 1:
        return _agree(steps[outer], steps[key])
    named = [k for k in inner if _is_same_answer(steps[outer], steps[k])]
    return bool(named) and key == max(named, key=lambda k: (steps[k].end_ns, k))


def _agree(step: Step, other: Step) -> bool:
    """Whether two spans may tell of one call: nothing that both say differs, but the id that a
    gateway gives the answer."""
    same_usage = _is_same_usage(step, other)
    if same_usage is not None:
        return same_usage
    return not (step.response_id and other.response_id) or step.response_id == other.response_id


def _is_same_answer(step: Step, other: Step) -> bool:
    return bool(step.response_id) and step.response_id == other.response_id


def _is_same_usage(
    step: Step, other: Step, names: Sequence[str] = ("input_tokens", "output_tokens")
) -> bool | None:
    """None if one of them says nothing of its usage."""
    pairs = [
        (step.used.counts[name], other.used.counts[name])
        for name in names
        if name in step.used.counts and name in other.used.counts
    ]
    return all(a == b for a, b in pairs) if pairs else None


def _join_twins(calls: dict[Key, list[Key]], steps: Mapping[Key, Step]) -> None:
    """Two libraries that instrument one client need not know of each other: their spans have no
    parent in common, perhaps not even a trace. They tell of one call if the provider's id of the
    answer is the same and one lies within the other in time."""
    groups: defaultdict[tuple[str, str], list[Key]] = defaultdict(list)
    for key in calls:
        if steps[key].response_id:
            groups[steps[key].kind, steps[key].response_id].append(key)
    for keys in groups.values():
        around: list[Key] = []
        for key in sorted(keys, key=lambda k: (steps[k].start_ns, -steps[k].end_ns, k)):
            step = steps[key]
            while around and steps[around[-1]].end_ns < step.end_ns:
                around.pop()
            if around and _are_twins(steps[around[-1]], step):
                outer = around.pop()
                complete(step, steps[outer])
                calls[key] += [outer, *calls.pop(outer)]
            around.append(key)


def _are_twins(outer: Step, inner: Step) -> bool:
    # Of a stream, one may count the output that it began with as well (OpenLLMetry of Anthropic's).
    return outer.scope != inner.scope and _is_same_usage(outer, inner, ("input_tokens",)) is not False
