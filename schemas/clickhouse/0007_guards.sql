-- What the guards found in a call. The views name the columns they had when they were made, so that of interactions is made anew.

ALTER TABLE mirante.interactions_data
    -- Where the answer first breaks the schema that was asked for, and which keyword: '/items/3/price: type'. Or why it was not checked.
    ADD COLUMN IF NOT EXISTS json_error String DEFAULT '' CODEC(ZSTD(1)) AFTER json_valid,
    -- JSON: attempts to take over the model, [{"where": "document", "probability": 0.93, "document": "kb-12"}]. Never the text.
    ADD COLUMN IF NOT EXISTS injection String DEFAULT '[]' CODEC(ZSTD(1)) AFTER json_error;

CREATE OR REPLACE VIEW mirante.interactions AS
SELECT * EXCEPT (version)
FROM mirante.interactions_data FINAL;
