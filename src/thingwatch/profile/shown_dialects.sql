-- shown_dialects: the dialects a twentieth of a campaign is written in, with the odds inside and outside.
CREATE OR REPLACE TABLE shown_dialects AS
SELECT campaign, dialect, messages, others, weight, example
FROM (
    SELECT
        i.campaign AS campaign,
        i.dialect AS dialect,
        i.messages AS messages,
        a.messages - i.messages AS others,
        floor(
            1024 * log2(((i.messages + 0.1) / (r.messages + 1.0)) / ((a.messages - i.messages + 0.5) / (t.messages - r.messages + 1.0)))
            + 0.5
        ) / 1024 AS weight,
        i.example AS example,
        row_number() OVER (PARTITION BY i.campaign ORDER BY i.messages DESC, i.dialect) AS place
    FROM (
        SELECT b.campaign AS campaign, m.dialect AS dialect, count(*) AS messages, min(b.seq) AS example
        FROM belonging AS b
        JOIN mails AS m ON m.seq = b.seq
        GROUP BY b.campaign, m.dialect
    ) AS i
    JOIN dialect_totals AS a ON a.dialect = i.dialect
    JOIN reported AS r ON r.campaign = i.campaign
    CROSS JOIN (SELECT sum(messages) AS messages FROM dialect_totals) AS t
    WHERE i.messages >= 0.05 * r.messages
) AS ranked
WHERE place <= 8
