-- lure_means: by what means each lure speaks, and which part of a message's keys its lure's messages share.
CREATE OR REPLACE TABLE lure_means AS
SELECT m.campaign AS campaign, m.lure AS lure, m.media AS media, coalesce(v.part, 0.0) AS part
FROM (
    SELECT campaign, lure, media, row_number() OVER (PARTITION BY campaign, lure ORDER BY sum(messages) DESC, media) AS place
    FROM subjects
    GROUP BY campaign, lure, media
) AS m
LEFT JOIN (
    SELECT b.campaign AS campaign, b.lure AS lure, avg(floor(1048576 * least(1.0, v.keys * 1.0 / h.keys)) / 1048576) AS part
    FROM belonging AS b
    JOIN votes AS v ON v.seq = b.seq AND v.lure = b.lure
    JOIN holdings AS h ON h.seq = b.seq
    GROUP BY b.campaign, b.lure
) AS v ON v.campaign = m.campaign AND v.lure = m.lure
WHERE m.place = 1
