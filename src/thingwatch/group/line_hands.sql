-- line_hands: hands whose sources are for the most part customers' lines.
CREATE OR REPLACE TABLE line_hands AS
SELECT dialect
FROM (SELECT DISTINCT dialect, client_ip, line FROM quiet_sources) AS s
GROUP BY dialect
HAVING count(DISTINCT client_ip) >= $min_line_sources
    AND sum(CASE WHEN line = 1 THEN 1 ELSE 0 END) >= $line_part * sum(CASE WHEN line > 0 THEN 1 ELSE 0 END)
    AND sum(CASE WHEN line = 1 THEN 1 ELSE 0 END) > 0
