-- settled-N.parquet: the messages that became part of a campaign in one run. Message-ID and sender are kept of the
-- earliest only: a campaign is named for them.
SELECT
    s.seq AS seq, s.lure AS lure, s.stray AS stray, s.label AS label,
    CASE WHEN s.first THEN d.message_id ELSE '' END AS message_id,
    CASE WHEN s.first THEN d.header_from ELSE '' END AS header_from,
    d.received_at AS received_at, d.client_ip AS client_ip, d.helo AS helo, d.ptr AS ptr, d.mail_from AS mail_from,
    d.from_name AS from_name, d.recipient AS recipient, d.subject AS subject, d.size AS size, d.media AS media,
    d.spf AS spf, d.dkim AS dkim, d.dmarc AS dmarc, d.signer AS signer, d.list_id AS list_id, d.name AS name,
    d.reply AS reply, d.forward AS forward, d.automatic AS automatic, d.logged AS logged, d.hosts AS hosts,
    d.grammars AS grammars, d.dialect AS dialect, d.id_form AS id_form, d.mime_form AS mime_form,
    d.layout AS layout, d.helo_form AS helo_form, d.sender_form AS sender_form, d.exact AS exact, d.line AS line,
    d.system AS system, d.claims AS claims
FROM (
    SELECT
        s.seq AS seq, s.lure AS lure, s.stray AS stray, s.label AS label,
        s.stray OR coalesce(m.received_at, 0) = min(coalesce(m.received_at, 0)) OVER (PARTITION BY s.lure, s.core) AS first
    FROM settling AS s
    JOIN mails AS m ON m.seq = s.seq
) AS s
JOIN at_hand AS d ON d.seq = s.seq
ORDER BY s.lure, s.seq
