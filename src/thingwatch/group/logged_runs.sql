-- logged_runs: logged mail of bursts and of customers' lines, one run per hand. A source with another kind of name
-- is taken when it sent at least twice and only ever within bursts: a mail server also sends in between.
CREATE OR REPLACE TABLE logged_runs AS
SELECT q.seq AS seq, first.lure AS lure
FROM quiet_sources AS q
JOIN (SELECT dialect, min(seq) AS lure FROM quiet_sources GROUP BY dialect) AS first ON first.dialect = q.dialect
LEFT JOIN burst_bins AS b ON b.dialect = q.dialect AND b.bin = q.bin
LEFT JOIN line_hands AS l ON l.dialect = q.dialect
LEFT JOIN (
    SELECT o.client_ip AS client_ip
    FROM quiet_sources AS o
    LEFT JOIN burst_bins AS i ON i.dialect = o.dialect AND i.bin = o.bin
    WHERE o.line = 2
    GROUP BY o.client_ip
    HAVING count(*) > 1 AND count(*) = count(i.bin)
) AS bursting ON bursting.client_ip = q.client_ip
WHERE (b.bin IS NOT NULL AND (q.line < 2 OR bursting.client_ip IS NOT NULL)) OR (l.dialect IS NOT NULL AND q.line < 2)
