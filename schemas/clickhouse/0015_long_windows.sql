-- Hours and days once more, in an order of their own. In cost_parts they lie among the windows of ten seconds and a minute that begin when
-- they do, so a month would be read with all of these. The same rows with the same versions: repeats and superseded ones replace here as there.

CREATE TABLE IF NOT EXISTS mirante.cost_parts_long AS mirante.cost_parts
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYear(window_start)
PRIMARY KEY (window_seconds, window_start, tenant, feature)
ORDER BY (
    window_seconds, window_start, tenant, feature, environment, provider, model, prompt_sha, variant,
    source, source_partition, segment
);

CREATE MATERIALIZED VIEW IF NOT EXISTS mirante.long_of_cost_parts TO mirante.cost_parts_long AS
SELECT *
FROM mirante.cost_parts
WHERE window_seconds >= 3600;

-- What was there before.
INSERT INTO mirante.cost_parts_long
SELECT *
FROM mirante.cost_parts
WHERE window_seconds >= 3600;
