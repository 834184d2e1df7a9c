-- Silences of alerts: one row per silence, the latest word on each. Few, so not partitioned, and kept for ever.

CREATE TABLE IF NOT EXISTS mirante.silences_data
(
    id String CODEC(ZSTD(1)),
    version Int64,
    matchers Map(String, String) CODEC(ZSTD(1)),
    starts_at DateTime64(3, 'UTC'),
    ends_at DateTime64(3, 'UTC'),
    comment String DEFAULT '' CODEC(ZSTD(1)),
    created_by String DEFAULT '' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
ORDER BY id;

CREATE VIEW IF NOT EXISTS mirante.silences AS
SELECT id, matchers, starts_at, ends_at, comment, created_by
FROM mirante.silences_data FINAL;
