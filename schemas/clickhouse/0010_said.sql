-- Labels, shadow pairs and alerts are found by the ids they name, as interactions, feedback and evaluations are: `mirante trace` asks of
-- these tables only what is there. Source is extended at its end, so the sort key stays as it is.

ALTER TABLE mirante.ids MODIFY COLUMN source
    Enum8('interactions' = 1, 'feedback' = 2, 'evaluations' = 3, 'labels' = 4, 'shadow_pairs' = 5, 'alerts' = 6);

CREATE MATERIALIZED VIEW IF NOT EXISTS mirante.ids_of_labels TO mirante.ids AS
SELECT cityHash64(response_id) AS hash, 'labels' AS source, tenant, feature, time
FROM mirante.labels_data;

CREATE MATERIALIZED VIEW IF NOT EXISTS mirante.ids_of_shadow_pairs TO mirante.ids AS
SELECT cityHash64(id) AS hash, 'shadow_pairs' AS source, tenant, feature, time
FROM mirante.shadow_pairs_data
ARRAY JOIN arrayDistinct([request_id, live_request_id]) AS id;

-- The calls that show it. An alert has no tenant; its time is when it started.
CREATE MATERIALIZED VIEW IF NOT EXISTS mirante.ids_of_alerts TO mirante.ids AS
SELECT cityHash64(id) AS hash, 'alerts' AS source, '' AS tenant, '' AS feature, starts_at AS time
FROM mirante.alerts_data
ARRAY JOIN arrayDistinct(JSONExtract(evidence, 'response_ids', 'Array(String)')) AS id;

-- What was there before.
INSERT INTO mirante.ids
SELECT cityHash64(response_id) AS hash, 'labels' AS source, tenant, feature, time
FROM mirante.labels_data;

INSERT INTO mirante.ids
SELECT cityHash64(id) AS hash, 'shadow_pairs' AS source, tenant, feature, time
FROM mirante.shadow_pairs_data
ARRAY JOIN arrayDistinct([request_id, live_request_id]) AS id;

INSERT INTO mirante.ids
SELECT cityHash64(id) AS hash, 'alerts' AS source, '' AS tenant, '' AS feature, starts_at AS time
FROM mirante.alerts_data
ARRAY JOIN arrayDistinct(JSONExtract(evidence, 'response_ids', 'Array(String)')) AS id;

-- Feedback is found by what it is about: an answer, else a request, else a session. By its session as well, as until now, every story of
-- a session would have to look for its answer's feedback. What was entered before stays; it leads to rows that are then not shown.
ALTER TABLE mirante.ids_of_feedback MODIFY QUERY
SELECT
    cityHash64(multiIf(response_id != '', response_id, request_id != '', request_id, session_id)) AS hash,
    'feedback' AS source,
    tenant,
    '' AS feature,
    time
FROM mirante.feedback_data;
