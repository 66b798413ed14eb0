-- lure_media: by what means most messages of a lure speak.
CREATE OR REPLACE TABLE lure_media AS
SELECT lure, min(media) AS media
FROM (
    SELECT c.lure AS lure, m.media AS media, rank() OVER (PARTITION BY c.lure ORDER BY count(*) DESC) AS place
    FROM core_members AS c
    JOIN mails AS m ON m.seq = c.seq
    GROUP BY c.lure, m.media
) AS counted
WHERE place = 1
GROUP BY lure
