-- dialect_odds: the dialects of one campaign, how much of it and of other mail they are, and a message that shows it.
SELECT
    i.dialect AS dialect,
    i.messages AS messages,
    a.messages - i.messages AS others,
    log2(((i.messages + 0.1) / (r.messages + 1.0)) / ((a.messages - i.messages + 0.5) / ($all_messages - r.messages + 1.0))) AS weight,
    i.example AS example
FROM (
    SELECT m.dialect AS dialect, count(*) AS messages, min(b.seq) AS example
    FROM belonging AS b
    JOIN mails AS m ON m.seq = b.seq
    WHERE b.campaign = $campaign
    GROUP BY m.dialect
) AS i
JOIN (SELECT dialect, count(*) AS messages FROM mails GROUP BY dialect) AS a ON a.dialect = i.dialect
JOIN reported AS r ON r.campaign = $campaign
WHERE i.messages >= 0.05 * r.messages
ORDER BY i.messages DESC, i.dialect
LIMIT 8
