-- campaigns.parquet: one row per group of at least two messages. Only those large enough to report are judged; the
-- verdict of the others is null.
SELECT
    v.campaign_id AS campaign_id,
    j.verdict AS verdict,
    j.kind AS kind,
    j.bits AS bits,
    count(*) AS messages,
    count(DISTINCT m.client_ip) AS sources,
    count(DISTINCT c.lure) AS lures,
    make_timestamp(min(m.received_at)) AT TIME ZONE 'UTC' AS first_seen,
    make_timestamp(max(m.received_at)) AT TIME ZONE 'UTC' AS last_seen
FROM campaign_members AS c
JOIN mails AS m ON m.seq = c.seq
JOIN campaign_names AS v ON v.campaign = c.campaign
LEFT JOIN verdicts AS j ON j.campaign = c.campaign
GROUP BY v.campaign_id, j.verdict, j.kind, j.bits
ORDER BY count(*) DESC, v.campaign_id
