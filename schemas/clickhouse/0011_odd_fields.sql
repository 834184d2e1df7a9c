-- Optional fields whose value made no sense: they are NULL, the event is counted. The views name the columns they had when they were made,
-- so they are made anew.

ALTER TABLE mirante.interactions_data
    -- Paths in the event, of the request first: 'latency_ms', 'usage.output_tokens', 'rails[1].verdict'. Their values are in extra.
    ADD COLUMN IF NOT EXISTS odd_fields Array(String) CODEC(ZSTD(1));

ALTER TABLE mirante.feedback_data
    ADD COLUMN IF NOT EXISTS odd_fields Array(String) CODEC(ZSTD(1));

ALTER TABLE mirante.evaluations_data
    ADD COLUMN IF NOT EXISTS odd_fields Array(String) CODEC(ZSTD(1));

CREATE OR REPLACE VIEW mirante.interactions AS
SELECT * EXCEPT (version)
FROM mirante.interactions_data FINAL;

CREATE OR REPLACE VIEW mirante.feedback AS
SELECT *
FROM mirante.feedback_data FINAL;

CREATE OR REPLACE VIEW mirante.evaluations AS
SELECT *
FROM mirante.evaluations_data FINAL;
