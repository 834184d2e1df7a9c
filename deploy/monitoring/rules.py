"""What Prometheus alerts on: Mirante's own health. What Mirante finds is on ``llm.alerts``."""

from __future__ import annotations

from typing import Any, NamedTuple

RUNBOOK = "docs/operations.md#what-to-alert-on"


class AlertingRule(NamedTuple):
    """``holds_for``: how long the expression must be true, as Prometheus writes durations."""

    name: str
    expression: str
    holds_for: str
    severity: str
    summary: str
    action: str


def _within(period: str, counter: str) -> str:
    """How much a counter grew. One with labels is not there before it first counts, which ``increase`` does not see."""
    return f"(({counter} unless {counter} offset {period}) or increase({counter}[{period}]))"


RULES = (
    AlertingRule(
        "MiranteWorkerDown",
        'up{job="mirante"} == 0',
        "2m",
        "page",
        "A Mirante worker does not answer.",
        "Its /health says why; `mirante doctor` from the same machine.",
    ),
    AlertingRule(
        "MiranteLagGrows",
        "sum by (topic) (mirante_lag) > 1000 and sum by (topic) (deriv(mirante_lag[10m])) > 0",
        "10m",
        "ticket",
        "Records of {{ $labels.topic }} come faster than they are read.",
        "Add workers, up to the number of partitions.",
    ),
    AlertingRule(
        "MiranteSlow",
        "histogram_quantile(0.99, sum by (le) (rate(mirante_delay_seconds_bucket[10m]))) > 30",
        "10m",
        "ticket",
        "One record in a hundred takes more than 30 s from Kafka to ClickHouse.",
        "Add workers, or see whether ClickHouse is slow: mirante_checkpoint_seconds.",
    ),
    AlertingRule(
        "MiranteClickHouseAway",
        "sum(rate(mirante_insert_errors_total[5m])) > 0",
        "5m",
        "page",
        "ClickHouse is away or refuses rows.",
        "Nothing is lost, everything waits. Look at ClickHouse, and at /health of the workers.",
    ),
    AlertingRule(
        "MiranteDeadLetters",
        f"sum{_within('15m', 'mirante_dead_letters_total')} > 0",
        "0m",
        "ticket",
        "A service publishes events that cannot be read.",
        "`mirante deadletter list` names topic, position and reason.",
    ),
    AlertingRule(
        "MiranteOddFields",
        f"sum by (topic) {_within('1h', 'mirante_odd_fields_total')} > 0",
        "0m",
        "info",
        "Events of {{ $labels.topic }} hold optional fields that make no sense.",
        "The column odd_fields of interactions names them, by feature.",
    ),
    AlertingRule(
        "MiranteUnreadable",
        f"sum by (topic) {_within('15m', 'mirante_unreadable_records_total')} > 0",
        "0m",
        "ticket",
        "Batches of {{ $labels.topic }} cannot be read: a broker's disk or a producer breaks them.",
        "/health and `mirante deadletter list` say where and how.",
    ),
    AlertingRule(
        "MiranteRowsRefused",
        f"sum by (table) {_within('15m', 'mirante_rows_refused_total')} > 0",
        "0m",
        "ticket",
        "ClickHouse refuses rows of {{ $labels.table }} for their own sake.",
        "Another version of Mirante migrated the tables, or this is a defect: report it.",
    ),
    AlertingRule(
        "MirantePoison",
        "sum" + _within("15m", 'mirante_dead_letters_total{stage="poison"}') + " > 0",
        "0m",
        "ticket",
        "An event killed workers; it is a dead letter, and what follows is processed.",
        "`mirante deadletter list --reason \"workers died\"` names it; report it.",
    ),
    AlertingRule(
        "MiranteLoopHeld",
        f"sum by (agent, step) {_within('15m', 'mirante_loop_held_total')} > 0",
        "0m",
        "ticket",
        "An event holds a worker for more than a second, in {{ $labels.agent }}/{{ $labels.step }}.",
        "/health and the worker's log name it; docs/operations.md says what to do.",
    ),
    AlertingRule(
        "MiranteClockWrong",
        f"sum by (feature) {_within('15m', 'mirante_clock_ahead_calls_total')} > 10"
        f" or sum by (feature) {_within('15m', 'mirante_clock_behind_calls_total')} > 10",
        "0m",
        "ticket",
        "The clock of a service of {{ $labels.feature }} is wrong.",
        "`mirante doctor` says by how much; set its clock. Its calls are counted.",
    ),
    AlertingRule(
        "MiranteUnpriced",
        f"sum by (model) {_within('1h', 'mirante_unpriced_total')} > 0",
        "0m",
        "ticket",
        "Calls of {{ $labels.model }} have no price.",
        "Add it under [[prices]] in mirante.toml.",
    ),
    AlertingRule(
        "MiranteTooManySeries",
        "sum(increase(mirante_other_series_total[1h])) > 0",
        "0m",
        "ticket",
        "There are more series than series_cap; calls are counted under __other__.",
        "Look for a feature or prompt.sha that holds an id.",
    ),
    AlertingRule(
        "MiranteSettledEarly",
        "sum(increase(mirante_settled_early_total[15m])) > 0",
        "0m",
        "ticket",
        "More calls are open than join.max_open; counts of unanswered calls are too high.",
        "Raise join.max_open, or find the service that publishes requests without responses.",
    ),
    AlertingRule(
        "MiranteWatchesEarly",
        "sum(increase(mirante_watch_closed_early_total[1h])) > 0",
        "0m",
        "ticket",
        "Intervals of [[watch]] are judged before their time: too many numbers wait.",
        "Shorten the interval, or name fewer calls.",
    ),
    AlertingRule(
        "MiranteIngestRefuses",
        'sum by (status) (rate(mirante_ingest_requests_total{route=~"/v1/.*", status=~"429|5.."}[5m])) > 0',
        "5m",
        "page",
        "`mirante ingest` answers {{ $labels.status }}: senders must come back.",
        "503: its /health says why Kafka takes nothing. 429: more comes at once than ingest.max_in_flight; start another one.",
    ),
    AlertingRule(
        "MiranteRekeyed",
        "sum(rate(mirante_rekeyed_total[1h])) > 0.5 * sum(rate(mirante_events_total[1h]))",
        "1h",
        "info",
        "Most events come under another key or partition than their session's.",
        'Set "partitioner": "murmur2_random" in clients on librdkafka (README).',
    ),
)


def document() -> dict[str, Any]:
    """The rules file, as Prometheus reads it."""
    return {
        "groups": [
            {
                "name": "mirante",
                "rules": [
                    {
                        "alert": rule.name,
                        "expr": rule.expression,
                        "for": rule.holds_for,
                        "labels": {"severity": rule.severity},
                        "annotations": {
                            "summary": rule.summary,
                            "action": rule.action,
                            "runbook_url": RUNBOOK,
                        },
                    }
                    for rule in RULES
                ],
            }
        ]
    }
