-- key_totals: how many messages of all runs hold each key at hand, where that is remembered: of links, files and the
-- signatures of woken lures.
CREATE OR REPLACE TABLE key_totals AS
SELECT t.key AS key, min(t.kind) AS kind, CAST(sum(t.messages) AS BIGINT) AS messages
FROM (
    SELECT key, kind, messages FROM known_links
    UNION ALL
    SELECT s.key AS key, min(s.kind) AS kind, max(s.messages + s.others) AS messages
    FROM known_signatures AS s
    JOIN known_lures AS n ON n.lure = s.lure AND n.firm
    JOIN woken AS w ON w.campaign = n.campaign
    WHERE s.kind NOT IN (6, 7, 8, 9)
    GROUP BY s.key
    UNION ALL
    SELECT key, min(kind) AS kind, count(*) AS messages FROM fresh_keys GROUP BY key
) AS t
JOIN (
    SELECT key FROM keys WHERE kind IN (6, 7, 8, 9)
    UNION
    SELECT s.key AS key
    FROM known_signatures AS s
    JOIN known_lures AS n ON n.lure = s.lure AND n.firm
    JOIN woken AS w ON w.campaign = n.campaign
) AS at_hand ON at_hand.key = t.key
GROUP BY t.key
