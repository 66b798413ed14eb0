-- quiet_sources: logged mail of sources that send little, with a sender and an address.
CREATE OR REPLACE TABLE quiet_sources AS
SELECT m.seq AS seq, m.dialect AS dialect, m.bin AS bin, m.client_ip AS client_ip, m.line AS line
FROM mails AS m
JOIN (
    SELECT client_ip
    FROM mails
    WHERE client_ip IS NOT NULL
    GROUP BY client_ip
    HAVING count(*) <= $max_per_day * count(DISTINCT bin // 144)
) AS few ON few.client_ip = m.client_ip
WHERE m.logged AND NOT m.automatic AND m.mail_from <> '' AND m.bin IS NOT NULL
