-- carried: messages of earlier runs that are placed anew: those in no reported campaign yet, and of woken campaigns those
-- whose lure is small enough for all its keys to be kept.
CREATE OR REPLACE TABLE carried AS
SELECT
    d.seq AS seq, d.place AS place, g.campaign_id AS campaign_id,
    d.message_id AS message_id, d.received_at AS received_at, d.client_ip AS client_ip, d.helo AS helo,
    d.ptr AS ptr, d.mail_from AS mail_from, d.header_from AS header_from, d.from_name AS from_name,
    d.recipient AS recipient, d.subject AS subject, d.size AS size, d.media AS media, d.spf AS spf, d.dkim AS dkim,
    d.dmarc AS dmarc, d.signer AS signer, d.list_id AS list_id, d.name AS name, d.reply AS reply,
    d.forward AS forward, d.automatic AS automatic, d.logged AS logged, d.hosts AS hosts, d.grammars AS grammars,
    d.dialect AS dialect, d.id_form AS id_form, d.mime_form AS mime_form, d.layout AS layout,
    d.helo_form AS helo_form, d.sender_form AS sender_form, d.exact AS exact, d.line AS line, d.system AS system,
    d.claims AS claims
FROM known_loose AS d
JOIN loaded AS l ON l.seq = d.seq
LEFT JOIN known_grouped AS g ON g.seq = d.seq
UNION ALL
SELECT
    d.seq AS seq, d.place AS place, d.campaign_id AS campaign_id,
    d.message_id AS message_id, d.received_at AS received_at, d.client_ip AS client_ip, d.helo AS helo,
    d.ptr AS ptr, d.mail_from AS mail_from, d.header_from AS header_from, d.from_name AS from_name,
    d.recipient AS recipient, d.subject AS subject, d.size AS size, d.media AS media, d.spf AS spf, d.dkim AS dkim,
    d.dmarc AS dmarc, d.signer AS signer, d.list_id AS list_id, d.name AS name, d.reply AS reply,
    d.forward AS forward, d.automatic AS automatic, d.logged AS logged, d.hosts AS hosts, d.grammars AS grammars,
    d.dialect AS dialect, d.id_form AS id_form, d.mime_form AS mime_form, d.layout AS layout,
    d.helo_form AS helo_form, d.sender_form AS sender_form, d.exact AS exact, d.line AS line, d.system AS system,
    d.claims AS claims
FROM young AS d
JOIN woken AS w ON w.campaign = d.campaign
