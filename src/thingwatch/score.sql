-- tally: how many messages share a truth and a finding; one row per combination of both.
-- Message ids are compared without angle brackets; of several case rows with one id the first counts.
CREATE OR REPLACE TEMP TABLE truth AS
SELECT trim(message_id, '<> ') AS message_id, kind, campaign, lure
FROM read_parquet($truth);

CREATE OR REPLACE TEMP TABLE found AS
SELECT
    trim(message_id, '<> ') AS message_id,
    arg_min(CAST(campaign_id AS VARCHAR), seq) AS campaign_id,
    arg_min(CAST(lure_id AS VARCHAR), CASE WHEN lure_id IS NOT NULL THEN seq END) AS lure_id
FROM read_parquet($messages)
GROUP BY 1;

CREATE OR REPLACE TEMP TABLE tally AS
SELECT
    t.kind, t.campaign, t.lure, f.campaign_id, f.lure_id,
    t.message_id IS NOT NULL AS known,
    f.message_id IS NOT NULL AS read,
    count(*) AS messages
FROM truth AS t
FULL OUTER JOIN found AS f ON t.message_id = f.message_id
GROUP BY ALL;
