-- recalled: every remembered message of the woken campaigns, with the lure it belongs to now. Those attached as single
-- mails hang on any lure of their campaign.
CREATE OR REPLACE TABLE recalled AS
SELECT
    s.seq AS seq, n.now AS lure, s.stray AS stray, coalesce(l.now, s.label) AS label,
    s.message_id AS message_id, s.received_at AS received_at, s.client_ip AS client_ip, s.helo AS helo,
    s.ptr AS ptr, s.mail_from AS mail_from, s.header_from AS header_from, s.from_name AS from_name,
    s.recipient AS recipient, s.subject AS subject, s.size AS size, s.media AS media, s.spf AS spf, s.dkim AS dkim,
    s.dmarc AS dmarc, s.signer AS signer, s.list_id AS list_id, s.name AS name, s.reply AS reply,
    s.forward AS forward, s.automatic AS automatic, s.logged AS logged, s.hosts AS hosts, s.grammars AS grammars,
    s.dialect AS dialect, s.id_form AS id_form, s.mime_form AS mime_form, s.layout AS layout,
    s.helo_form AS helo_form, s.sender_form AS sender_form, s.exact AS exact, s.line AS line, s.system AS system,
    s.claims AS claims
FROM settled AS s
JOIN known_lures AS n ON n.lure = s.lure
JOIN woken AS w ON w.campaign = n.campaign
LEFT JOIN known_lures AS l ON l.lure = s.label
