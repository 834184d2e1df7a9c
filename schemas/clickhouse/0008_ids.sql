-- From any id to where its rows are: what `mirante trace` begins with. A bloom filter per granule, as the storage tables have, is read
-- whole for every search; here an id is found by the primary key. A repeat or superseded version of a row adds an entry that exists already.

CREATE TABLE IF NOT EXISTS mirante.ids
(
    -- Of the id. Whoever looks up compares the id itself in the rows found.
    hash UInt64,
    source Enum8('interactions' = 1, 'feedback' = 2, 'evaluations' = 3),
    tenant LowCardinality(String),
    feature LowCardinality(String) DEFAULT '',
    time DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(time)
ORDER BY (hash, source, tenant, feature, time)
SETTINGS index_granularity = 1024;

CREATE MATERIALIZED VIEW IF NOT EXISTS mirante.ids_of_interactions TO mirante.ids AS
SELECT cityHash64(id) AS hash, 'interactions' AS source, tenant, feature, time
FROM mirante.interactions_data
ARRAY JOIN arrayDistinct(arrayFilter(i -> i != '', [request_id, response_id, session_id, trace_id])) AS id;

CREATE MATERIALIZED VIEW IF NOT EXISTS mirante.ids_of_feedback TO mirante.ids AS
SELECT cityHash64(id) AS hash, 'feedback' AS source, tenant, '' AS feature, time
FROM mirante.feedback_data
ARRAY JOIN arrayDistinct(arrayFilter(i -> i != '', [request_id, response_id, session_id])) AS id;

CREATE MATERIALIZED VIEW IF NOT EXISTS mirante.ids_of_evaluations TO mirante.ids AS
SELECT cityHash64(response_id) AS hash, 'evaluations' AS source, tenant, '' AS feature, time
FROM mirante.evaluations_data;

-- What was there before.
INSERT INTO mirante.ids
SELECT cityHash64(id) AS hash, 'interactions' AS source, tenant, feature, time
FROM mirante.interactions_data
ARRAY JOIN arrayDistinct(arrayFilter(i -> i != '', [request_id, response_id, session_id, trace_id])) AS id;

INSERT INTO mirante.ids
SELECT cityHash64(id) AS hash, 'feedback' AS source, tenant, '' AS feature, time
FROM mirante.feedback_data
ARRAY JOIN arrayDistinct(arrayFilter(i -> i != '', [request_id, response_id, session_id])) AS id;

INSERT INTO mirante.ids
SELECT cityHash64(response_id) AS hash, 'evaluations' AS source, tenant, '' AS feature, time
FROM mirante.evaluations_data;
