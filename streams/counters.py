"""The counters by which agents tell what became of records: each is declared here, once, and nowhere else.

To add one: its name in `CounterName`, its line in `COUNTERS`, its row in docs/operations.md. Type checking
refuses a name that is not here, and so does `Effects.count`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Literal, NamedTuple

CounterName = Literal[
    "accepted", "dead_letter", "unreadable", "rekeyed", "duplicate", "late", "outcome", "unpriced", "partial",
    "unknown_finish", "other",
    "clock_ahead", "clock_ahead_seconds", "clock_behind", "clock_behind_seconds",
    "odd_fields", "settled_early", "pii", "guard", "guards_closed_early", "switch", "unknown_rule", "usage_counted_early",
    "anomaly_closed_early", "late_for_anomaly", "labels", "label_exceptions", "judge_tasks", "late_for_behaviour",
    "drift_accepted", "drift_closed_early", "drift_not_embedded", "drift_scores", "drift_unsampled", "late_for_drift",
    "late_for_watch", "watch_closed_early",
    "otlp_spans", "otlp_ignored", "otlp_early",
]  # fmt: skip


class Declared(NamedTuple):
    """A counter as Prometheus sees it: its name without ``_total``, its label ("" for none), its help text."""

    metric: str
    label: str
    help: str


COUNTERS: Mapping[CounterName, Declared] = {
    "accepted": Declared("mirante_events", "topic", "Events accepted, by kind"),
    "dead_letter": Declared("mirante_dead_letters", "stage", "Events that could not be processed"),
    "unreadable": Declared("mirante_unreadable_records", "topic", "Records of batches that could not be read"),
    "rekeyed": Declared("mirante_rekeyed", "topic", "Events that came under another key or partition"),
    "duplicate": Declared("mirante_duplicates", "topic", "Events whose event_id was seen before"),
    "late": Declared("mirante_late", "topic", "Events behind their partition by more than the lateness"),
    "odd_fields": Declared("mirante_odd_fields", "topic", "Optional fields whose value made no sense"),
    "outcome": Declared("mirante_interactions", "outcome", "Interactions by outcome"),
    "unpriced": Declared("mirante_unpriced", "model", "Interactions without a known price"),
    "partial": Declared("mirante_partial", "model", "Interactions whose cost is a lower bound"),
    "unknown_finish": Declared("mirante_unknown_finish_reasons", "", "Finish reasons nobody has mapped"),
    "other": Declared("mirante_other_series", "", "Interactions counted under __other__: series cap reached"),
    "settled_early": Declared("mirante_settled_early", "", "Open requests settled because there were too many"),
    "clock_ahead": Declared("mirante_clock_ahead_calls", "feature", "Calls of a service whose clock is ahead"),
    "clock_ahead_seconds": Declared(
        "mirante_clock_ahead_seconds", "feature", "Sum of the seconds by which those calls were ahead"),
    "clock_behind": Declared("mirante_clock_behind_calls", "feature", "Calls of a service whose clock is behind"),
    "clock_behind_seconds": Declared(
        "mirante_clock_behind_seconds", "feature", "Sum of the seconds by which those calls were behind"),
    "pii": Declared("mirante_pii", "kind", "Rows in which personal data was masked"),
    "guard": Declared("mirante_guard", "flag", "Answered calls in which the guards found something"),
    "guards_closed_early": Declared(
        "mirante_guards_closed_early", "", "Spans judged early: too many attempts held"),
    "switch": Declared("mirante_switches", "what", "What became of kill switches and throttles"),
    "unknown_rule": Declared("mirante_unknown_rules", "", "Usage of a budget or limit this worker has not"),
    "usage_counted_early": Declared(
        "mirante_usage_counted_early", "", "Usage of a history counted before its time: too much waits"),
    "anomaly_closed_early": Declared(
        "mirante_anomaly_closed_early", "", "Buckets judged early: too many parts held"),
    "late_for_anomaly": Declared("mirante_anomaly_late", "", "Sums that came after their bucket was judged"),
    "labels": Declared("mirante_labels", "label", "Versions of labels published"),
    "label_exceptions": Declared(
        "mirante_label_exceptions", "what", "Turns and feedback taken late, or not at all"),
    "judge_tasks": Declared("mirante_judge_tasks", "", "Answers given to judges"),
    "late_for_behaviour": Declared("mirante_behaviour_late", "", "Calls that came after their moment was judged"),
    "drift_accepted": Declared(
        "mirante_drift_accepted", "found", "Drifts accepted by an operator, by whether there was such a series"),
    "drift_closed_early": Declared(
        "mirante_drift_closed_early", "", "Periods compared early: too many answers held"),
    "drift_not_embedded": Declared(
        "mirante_drift_not_embedded", "", "Answers not compared: the embedding model failed"),
    "drift_scores": Declared("mirante_drift_scores_ignored", "reason", "Scores of answers that drift did not use"),
    "drift_unsampled": Declared("mirante_drift_unsampled", "", "Answers not sampled: too many series at once"),
    "late_for_drift": Declared("mirante_drift_late", "", "Answers and scores that came after their period"),
    "late_for_watch": Declared("mirante_watch_late", "", "Numbers that came after their interval was judged"),
    "watch_closed_early": Declared(
        "mirante_watch_closed_early", "", "Intervals judged early: too many numbers held"),
    "otlp_spans": Declared("mirante_otlp_spans", "what", "Spans of OpenTelemetry by what became of them"),
    "otlp_ignored": Declared("mirante_otlp_ignored", "what", "Spans and log records that say nothing of AI"),
    "otlp_early": Declared("mirante_otlp_early", "", "Spans that did not wait for others: too many were held"),
}  # fmt: skip


class Counts(defaultdict[tuple[CounterName, str], int]):
    """(counter, value of its label) -> how often. One that is not declared is an error as soon as it is counted."""

    def __init__(self) -> None:
        super().__init__(int)

    def __missing__(self, key: tuple[CounterName, str]) -> int:
        name, label = key
        declared = COUNTERS.get(name)
        if declared is None:
            raise ValueError(f"no counter {name!r}: declare it in streams/counters.py")
        if label and not declared.label:
            raise ValueError(f"counter {name!r} has no label, and is counted with {label!r}")
        return super().__missing__(key)
