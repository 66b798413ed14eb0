-- subjects: what each lure of a reported campaign is called, and by whom it claims to come.
CREATE OR REPLACE TABLE subjects AS
SELECT b.campaign AS campaign, b.lure AS lure, d.subject AS subject, d.from_name AS from_name, d.media AS media, count(*) AS messages, min(b.seq) AS example
FROM belonging AS b
JOIN details AS d ON d.seq = b.seq
WHERE b.lure IS NOT NULL
GROUP BY b.campaign, b.lure, d.subject, d.from_name, d.media
