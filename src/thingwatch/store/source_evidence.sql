-- The evidence column of sources.parquet, a row for each entry in the order of its source: votes that were weighed with
-- the line they come from, names for all others.
SELECT campaign_id, client_ip, what, seen_at AS "when", stands AS "where", family, bits
FROM (
    SELECT
        n.campaign_id AS campaign_id,
        v.client_ip AS client_ip,
        v.what AS what,
        make_timestamp(p.seen_at) AT TIME ZONE 'UTC' AS seen_at,
        CASE
            WHEN p.client_ip IS NOT NULL THEN p.source || ', ' || p.place || ': ' || p.said
            WHEN v.item = 'helo' THEN 'HELO ' || f.helo
            WHEN v.item = 'rdns' THEN 'PTR ' || f.ptr
            ELSE 'the mail''s own headers'
        END AS stands,
        v.family AS family,
        v.bits AS bits
    FROM source_votes AS v
    JOIN campaign_names AS n ON n.campaign = v.campaign
    JOIN source_facts AS f ON f.client_ip = v.client_ip
    LEFT JOIN proofs AS p ON p.client_ip = v.client_ip AND p.item = v.item
    UNION ALL
    SELECT
        n.campaign_id AS campaign_id,
        s.client_ip AS client_ip,
        d.what AS what,
        make_timestamp(s.first_seen) AT TIME ZONE 'UTC' AS seen_at,
        d.stands AS stands,
        d.family AS family,
        CAST(NULL AS DOUBLE) AS bits
    FROM campaign_sources AS s
    JOIN campaign_names AS n ON n.campaign = s.campaign
    JOIN (
        SELECT d.client_ip AS client_ip, 'PTR ' || d.ptr_class AS what, f.ptr AS stands, 'network' AS family
        FROM named_sources AS d
        JOIN source_facts AS f ON f.client_ip = d.client_ip
        UNION ALL
        SELECT d.client_ip AS client_ip, 'HELO ' || d.helo_class AS what, f.helo AS stands, 'smtp' AS family
        FROM named_sources AS d
        JOIN source_facts AS f ON f.client_ip = d.client_ip
    ) AS d ON d.client_ip = s.client_ip
    LEFT JOIN source_origins AS o ON o.campaign = s.campaign AND o.client_ip = s.client_ip
    WHERE o.client_ip IS NULL
) AS entries
ORDER BY campaign_id, client_ip, family, what, "when", "where"
