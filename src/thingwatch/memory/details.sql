-- details: the messages this run looks at: its own, those carried over because they are in no campaign yet, and of the
-- remembered those that are present.
CREATE OR REPLACE TABLE details AS
SELECT *
FROM at_hand
UNION ALL
SELECT
    d.seq AS seq, '' AS place,
    d.message_id AS message_id, d.received_at AS received_at, d.client_ip AS client_ip, d.helo AS helo,
    d.ptr AS ptr, d.mail_from AS mail_from, d.header_from AS header_from, d.from_name AS from_name,
    d.recipient AS recipient, d.subject AS subject, d.size AS size, d.media AS media, d.spf AS spf, d.dkim AS dkim,
    d.dmarc AS dmarc, d.signer AS signer, d.list_id AS list_id, d.name AS name, d.reply AS reply,
    d.forward AS forward, d.automatic AS automatic, d.logged AS logged, d.hosts AS hosts, d.grammars AS grammars,
    d.dialect AS dialect, d.id_form AS id_form, d.mime_form AS mime_form, d.layout AS layout,
    d.helo_form AS helo_form, d.sender_form AS sender_form, d.exact AS exact, d.line AS line, d.system AS system,
    d.claims AS claims
FROM recalled AS d
JOIN present AS p ON p.seq = d.seq
