"""What there is to say of each topic in a period, for the page and for `mirante topics`."""

from __future__ import annotations

IN_PERIOD = (
    "w.window_start >= toDateTime({since:UInt32}) AND w.window_start < toDateTime({until:UInt32})"
    " AND ({tenant:String} = '' OR w.tenant = {tenant:String})"
)
"""The windows of a tenant that begin in a period."""


def topic_sums(where: str) -> str:
    """A query with a row for each feature and topic, the most asked of each feature first.

    ``where``: of the windows ``w``. Satisfaction is that of the windows which have labels.
    """
    judged = "sum(isNotNull(w.satisfaction) * w.requests)"
    return (
        "SELECT w.feature AS feature, w.topic_id AS topic_id, any(t.name) AS topic,"
        " any(t.terms) AS terms, any(t.first_seen) AS first_seen, any(t.last_seen) AS last_seen,"
        " sum(w.requests) AS requests, toFloat64(sum(w.cost_usd)) AS cost_usd,"
        " sum(w.refusals) AS refusals, sum(w.errors) AS errors,"
        f" if({judged} = 0, NULL, sum(w.satisfaction * w.requests) / {judged}) AS satisfaction,"
        " max(w.latency_p99_ms) AS latency_p99_ms,"
        " any(t.example_response_ids) AS example_response_ids"
        " FROM mirante.topic_windows AS w"
        " LEFT JOIN mirante.topics AS t ON t.feature = w.feature AND t.topic_id = w.topic_id"
        f" WHERE {where} AND ({{feature:String}} = '' OR w.feature = {{feature:String}})"
        " GROUP BY feature, topic_id HAVING requests > 0 ORDER BY feature, requests DESC LIMIT 1000"
    )
