-- core_members: messages of lures, with the campaign their lure belongs to. Nameless lures
-- keep only their own hand; a lure that carries a name is a campaign by itself.
CREATE OR REPLACE TABLE core_members AS
SELECT b.seq AS seq, coalesce(c.campaign, b.lure) AS campaign, b.lure AS lure
FROM members AS b
JOIN lure_facts AS f ON f.lure = b.lure
LEFT JOIN own_hands AS o ON o.seq = b.seq
LEFT JOIN lure_campaigns AS c ON c.lure = b.lure
WHERE f.messages > 1 AND (o.seq IS NOT NULL OR f.one_name >= $nameless OR f.automatic >= 0.5)
