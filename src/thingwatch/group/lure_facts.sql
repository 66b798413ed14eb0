-- lure_facts: what the joining of lures asks of each: its size, how much of it carries a name and how much the
-- same one, how much answers or forwards something (a lure may feign to).
CREATE OR REPLACE TABLE lure_facts AS
SELECT
    b.lure AS lure,
    count(*) AS messages,
    avg(CASE WHEN m.name <> '' THEN 1.0 ELSE 0.0 END) AS signed,
    max(coalesce(n.messages, 0)) * 1.0 / count(*) AS one_name,
    avg(CASE WHEN m.list_id <> '' THEN 1.0 ELSE 0.0 END) AS listed,
    avg(CASE WHEN m.automatic THEN 1.0 ELSE 0.0 END) AS automatic,
    avg(CASE WHEN m.reply OR m.forward THEN 1.0 ELSE 0.0 END) AS answers
FROM members AS b
JOIN mails AS m ON m.seq = b.seq
LEFT JOIN (
    SELECT lure, max(messages) AS messages
    FROM (
        SELECT b.lure AS lure, m.name AS name, count(*) AS messages
        FROM members AS b
        JOIN mails AS m ON m.seq = b.seq
        WHERE m.name <> ''
        GROUP BY b.lure, m.name
    ) AS named
    GROUP BY lure
) AS n ON n.lure = b.lure
GROUP BY b.lure
