-- stray_traits: what a single mail is weighed by: for each campaign its dialects, ten minutes, layouts, MIME and
-- Message-ID forms and link grammars, with the odds of the trait inside, and in the mail of its silences.
CREATE OR REPLACE TABLE stray_traits AS
SELECT
    i.campaign AS campaign,
    i.trait AS trait,
    i.value AS value,
    floor(1024 * log2(
        ((i.messages + 0.1) / (f.messages + 1.0))
        / CASE
            WHEN i.trait = 'clock' THEN (a.messages - i.messages + 0.5) / (t.messages - f.messages + 1.0)
            ELSE (a.messages - coalesce(n.messages, 0) + 0.5) / (q.messages + 1.0)
        END
    ) + 0.5) / 1024 AS weight
FROM (
    SELECT c.campaign AS campaign, x.trait AS trait, x.value AS value, count(*) AS messages
    FROM core_members AS c
    JOIN traits AS x ON x.seq = c.seq
    JOIN campaign_facts AS f ON f.campaign = c.campaign
    GROUP BY c.campaign, x.trait, x.value
    HAVING count(*) > 2
) AS i
JOIN campaign_facts AS f ON f.campaign = i.campaign
JOIN quiet_totals AS q ON q.campaign = i.campaign
JOIN (SELECT trait, value, count(*) AS messages FROM traits GROUP BY trait, value) AS a
    ON a.trait = i.trait AND a.value = i.value
LEFT JOIN (
    SELECT b.campaign AS campaign, x.trait AS trait, x.value AS value, count(*) AS messages
    FROM campaign_bins AS b
    JOIN mails AS m ON m.bin = b.bin
    JOIN traits AS x ON x.seq = m.seq
    WHERE x.trait <> 'clock'
    GROUP BY b.campaign, x.trait, x.value
) AS n ON n.campaign = i.campaign AND n.trait = i.trait AND n.value = i.value
CROSS JOIN (SELECT count(*) AS messages FROM mails) AS t
