-- said: which lures of a campaign say the same. Once one hand is proven, its one-line mails are one lure however
-- they are worded, and so are its image-only mails: there is nothing else in them to tell apart.
CREATE OR REPLACE TABLE said AS
SELECT
    c.campaign AS campaign,
    c.lure AS lure,
    m.media AS media,
    CASE
        WHEN m.media IN ('one line', 'image-only') THEN min(c.lure) OVER (PARTITION BY c.campaign, m.media)
        ELSE c.lure
    END AS label
FROM (SELECT DISTINCT campaign, lure FROM core_members) AS c
JOIN lure_media AS m ON m.lure = c.lure
