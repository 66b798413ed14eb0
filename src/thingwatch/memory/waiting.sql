-- waiting: messages in no reported campaign, young enough to be looked at again by the next run; the newest first if
-- they are too many.
CREATE OR REPLACE TABLE waiting AS
SELECT seq, campaign_id
FROM (
    SELECT x.seq AS seq, n.campaign_id AS campaign_id, row_number() OVER (ORDER BY coalesce(x.received_at, $newest) DESC, x.seq) AS turn
    FROM (
        SELECT seq, coalesce(received_at, $newest) AS received_at FROM fresh
        UNION ALL
        SELECT seq, received_at FROM carried
    ) AS x
    LEFT JOIN settling AS s ON s.seq = x.seq
    LEFT JOIN growing AS g ON g.seq = x.seq
    LEFT JOIN campaign_members AS c ON c.seq = x.seq
    LEFT JOIN campaign_names AS n ON n.campaign = c.campaign
    WHERE s.seq IS NULL AND g.seq IS NULL AND x.received_at >= $since AND x.received_at <= $newest
) AS y
WHERE turn <= $carry_messages
