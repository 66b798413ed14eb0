-- hand_bins: the ten minutes in which a hand bursts: far above its own mean over the whole log, from many
-- sources, most of which have no name or a customer's line's.
CREATE OR REPLACE TABLE hand_bins AS
SELECT h.dialect AS dialect, h.bin AS bin
FROM (
    SELECT dialect, bin, count(*) AS messages, count(DISTINCT client_ip) AS sources, sum(CASE WHEN line < 2 THEN 1 ELSE 0 END) AS lines
    FROM quiet_sources
    GROUP BY dialect, bin
) AS h
JOIN (SELECT dialect, count(*) AS messages FROM quiet_sources GROUP BY dialect) AS t ON t.dialect = h.dialect
CROSS JOIN (SELECT max(bin) - min(bin) + 1 AS bins FROM quiet_sources) AS s
WHERE h.messages >= $burst_mails
    AND h.messages >= $burst_factor * t.messages / s.bins
    AND h.sources >= 0.5 * h.messages
    AND h.lines >= 0.5 * h.messages
