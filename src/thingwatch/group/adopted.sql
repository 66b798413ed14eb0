-- adopted: for each single mail attached to a campaign, the lure of it that its keys speak for, else the lure that
-- speaks by the same means; a mail with neither keeps none.
CREATE OR REPLACE TABLE adopted AS
SELECT s.seq AS seq, s.campaign AS campaign, coalesce(v.label, m.label) AS lure
FROM strays AS s
JOIN mails AS x ON x.seq = s.seq
LEFT JOIN (
    SELECT w.seq AS seq, t.campaign AS campaign, min(t.label) AS label
    FROM (
        SELECT w.seq AS seq, w.lure AS lure, rank() OVER (PARTITION BY w.seq, t.campaign ORDER BY w.likeness DESC) AS place
        FROM votes AS w
        JOIN said AS t ON t.lure = w.lure
        JOIN strays AS s ON s.seq = w.seq AND s.campaign = t.campaign
        WHERE w.likeness >= 6.0
    ) AS w
    JOIN said AS t ON t.lure = w.lure
    WHERE w.place = 1
    GROUP BY w.seq, t.campaign
) AS v ON v.seq = s.seq AND v.campaign = s.campaign
LEFT JOIN (
    SELECT campaign, media, min(label) AS label
    FROM said
    WHERE media IN ('one line', 'image-only')
    GROUP BY campaign, media
) AS m ON m.campaign = s.campaign AND m.media = x.media
