-- grouped.parquet: the group that each message of a group too small to be judged is in.
SELECT c.seq AS seq, n.campaign_id AS campaign_id
FROM campaign_members AS c
JOIN campaign_names AS n ON n.campaign = c.campaign
JOIN at_hand AS x ON x.seq = c.seq
LEFT JOIN reported AS r ON r.campaign = c.campaign
WHERE r.campaign IS NULL
UNION ALL
SELECT g.seq AS seq, g.campaign_id AS campaign_id
FROM known_grouped AS g
JOIN known_loose AS l ON l.seq = g.seq
LEFT JOIN at_hand AS x ON x.seq = g.seq
WHERE x.seq IS NULL
ORDER BY seq
