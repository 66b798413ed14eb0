-- stray_scores: how strongly each single mail's traits speak for each nameless campaign, in bits. Without the
-- campaign's own dialect there is no score: everybody's clock and layout agree with somebody's.
CREATE OR REPLACE TABLE stray_scores AS
SELECT
    seq,
    campaign,
    least(dialect, 7.0) + least(clock, 5.0) + least(layout, 2.0) + least(mime, 2.0) + least(id, 2.0)
        + least(grammar, 5.0) + least(pool, 7.0) AS likeness
FROM (
    SELECT
        v.seq AS seq,
        v.campaign AS campaign,
        max(CASE WHEN v.trait = 'dialect' THEN v.weight ELSE 0.0 END) AS dialect,
        max(CASE WHEN v.trait = 'clock' THEN v.weight ELSE 0.0 END) AS clock,
        max(CASE WHEN v.trait = 'layout' THEN v.weight ELSE 0.0 END) AS layout,
        max(CASE WHEN v.trait = 'mime' THEN v.weight ELSE 0.0 END) AS mime,
        max(CASE WHEN v.trait = 'id' THEN v.weight ELSE 0.0 END) AS id,
        max(CASE WHEN v.trait = 'grammar' THEN v.weight ELSE 0.0 END) AS grammar,
        max(CASE WHEN v.trait = 'pool' THEN v.weight ELSE 0.0 END) AS pool
    FROM (
        SELECT l.seq AS seq, w.campaign AS campaign, x.trait AS trait, w.weight AS weight
        FROM loose AS l
        JOIN traits AS x ON x.seq = l.seq
        JOIN stray_traits AS w ON w.trait = x.trait AND w.value = x.value
        UNION ALL
        SELECT l.seq AS seq, p.campaign AS campaign, 'pool' AS trait, r.weight AS weight
        FROM loose AS l
        JOIN pools AS p ON p.client_ip = l.client_ip
        JOIN pool_weights AS r ON r.campaign = p.campaign
    ) AS v
    GROUP BY v.seq, v.campaign
) AS summed
WHERE dialect > 2.0
