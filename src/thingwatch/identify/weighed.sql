-- weighed: each sighting of a source that votes, with its age in days (0 while the source was sending, give or take a
-- day) and the chance that the address still held the same household.
CREATE OR REPLACE TABLE weighed AS
SELECT
    w.client_ip AS client_ip,
    w.item AS item,
    w.value AS value,
    w.file AS file,
    w.place AS place,
    w.seen_at AS seen_at,
    w.kind AS kind,
    w.said AS said,
    w.source AS source,
    w.device_class AS device_class,
    w.vendor AS vendor,
    w.model AS model,
    w.confidence AS confidence,
    f.family AS family,
    f.rank AS rank,
    f.foreign_word AS foreign_word,
    CASE WHEN f.fades THEN w.age_days ELSE 0.0 END AS age_days,
    CASE WHEN f.fades THEN floor(1048576 * exp(-w.age_days / w.tau_days) + 0.5) / 1048576 ELSE 1.0 END AS fresh
FROM (
    SELECT
        s.client_ip AS client_ip, s.item AS item, s.value AS value, s.file AS file, s.place AS place, s.seen_at AS seen_at,
        s.kind AS kind, s.said AS said, s.source AS source,
        s.device_class AS device_class, s.vendor AS vendor, s.model AS model, s.confidence AS confidence,
        p.tau_days AS tau_days,
        CASE
            WHEN s.seen_at IS NULL OR p.first_seen IS NULL THEN $unknown_age_days
            WHEN s.seen_at < p.first_seen - 86400000000 THEN (p.first_seen - 86400000000 - s.seen_at) / 86400000000.0
            WHEN s.seen_at > p.last_seen + 86400000000 THEN (s.seen_at - p.last_seen - 86400000000) / 86400000000.0
            ELSE 0.0
        END AS age_days
    FROM sightings AS s
    JOIN spans AS p ON p.client_ip = s.client_ip
    WHERE s.ours AND s.value IS NOT NULL
) AS w
JOIN item_families AS f ON f.item = w.item
