-- kept_lures: every lure of a campaign still known: what it is called now, if it was merged with another, and its campaign.
CREATE OR REPLACE TABLE kept_lures AS
SELECT x.lure AS lure, x.now AS now, x.campaign AS campaign, x.nameless AS nameless, x.firm AS firm
FROM (
    SELECT h.lure AS lure, h.lure AS now, h.campaign AS campaign, o.lure IS NOT NULL AS nameless, f.lure IS NOT NULL AS firm
    FROM homes AS h
    LEFT JOIN firm AS f ON f.lure = h.lure
    LEFT JOIN (SELECT DISTINCT lure FROM own_hands) AS o ON o.lure = h.lure
    UNION ALL
    SELECT k.lure AS lure, h.lure AS now, h.campaign AS campaign, o.lure IS NOT NULL AS nameless, TRUE AS firm
    FROM known_lures AS k
    LEFT JOIN mergings AS g ON g.lure = k.now
    JOIN homes AS h ON h.lure = coalesce(g.now, k.now)
    LEFT JOIN (SELECT DISTINCT lure FROM own_hands) AS o ON o.lure = h.lure
    LEFT JOIN homes AS own ON own.lure = k.lure
    WHERE own.lure IS NULL AND k.firm
    UNION ALL
    SELECT k.lure AS lure, k.now AS now, k.campaign AS campaign, k.nameless AS nameless, k.firm AS firm
    FROM known_lures AS k
    LEFT JOIN woken AS w ON w.campaign = k.campaign
    WHERE w.campaign IS NULL
) AS x
JOIN kept_campaigns AS c ON c.campaign = x.campaign
