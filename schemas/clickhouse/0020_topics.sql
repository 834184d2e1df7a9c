-- What users talk about: topics of their questions by feature, which sampled call is of which, and sums by topic and window.

CREATE TABLE IF NOT EXISTS mirante.topics_data
(
    feature LowCardinality(String) DEFAULT '',
    topic_id String,
    version UInt64,
    name String,
    terms Array(String),
    first_seen DateTime64(3, 'UTC'),
    last_seen DateTime64(3, 'UTC'),
    -- Sampled ones.
    questions UInt64 DEFAULT 0,
    -- The topic that goes on for it; empty: it goes on itself.
    merged_into String DEFAULT '',
    example_response_ids Array(String)
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (feature, topic_id);

CREATE VIEW IF NOT EXISTS mirante.topics AS
SELECT * EXCEPT (version)
FROM mirante.topics_data FINAL;

CREATE TABLE IF NOT EXISTS mirante.topic_calls_data
(
    time DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    tenant LowCardinality(String) DEFAULT 'default',
    feature LowCardinality(String) DEFAULT '',
    topic_id LowCardinality(String),
    response_id String CODEC(ZSTD(1)),
    weight Float64
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(time)
ORDER BY (feature, topic_id, time, response_id);

CREATE VIEW IF NOT EXISTS mirante.topic_calls AS
SELECT *
FROM mirante.topic_calls_data FINAL;

CREATE TABLE IF NOT EXISTS mirante.topic_windows_data
(
    window_start DateTime('UTC') CODEC(Delta, ZSTD(1)),
    window_seconds UInt32,
    tenant LowCardinality(String) DEFAULT 'default',
    feature LowCardinality(String) DEFAULT '',
    topic_id LowCardinality(String),
    -- Sampled; the others are of all calls that these stand for.
    calls UInt64,
    requests UInt64,
    cost_usd Decimal(38, 12) DEFAULT 0,
    refusals UInt64 DEFAULT 0,
    errors UInt64 DEFAULT 0,
    latency_p99_ms Nullable(Float64)
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(window_start)
ORDER BY (feature, topic_id, window_start, window_seconds, tenant);

-- Satisfaction is the mean score of the latest labels of the sampled calls, NULL where none has a label.
CREATE VIEW IF NOT EXISTS mirante.topic_windows AS
SELECT w.*, s.satisfaction AS satisfaction
FROM (SELECT * FROM mirante.topic_windows_data FINAL) AS w
LEFT JOIN
(
    SELECT
        toDateTime(intDiv(toUnixTimestamp(c.time), 300) * 300, 'UTC') AS window_start,
        300::UInt32 AS window_seconds,
        c.tenant AS tenant,
        c.feature AS feature,
        c.topic_id AS topic_id,
        toNullable(sum(l.score * c.weight) / sum(c.weight)) AS satisfaction
    FROM mirante.topic_calls AS c
    INNER JOIN mirante.labels AS l
        ON l.tenant = c.tenant AND l.feature = c.feature AND l.response_id = c.response_id
    GROUP BY window_start, window_seconds, tenant, feature, topic_id
) AS s
USING (window_start, window_seconds, tenant, feature, topic_id);
