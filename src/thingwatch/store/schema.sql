-- The tables a run works on, and the files a case holds. The reference page docs/tables.md is made from this
-- file. Hashes are 64-bit, kept as signed integers because every engine has those; 0 stands for "none".

CREATE TABLE mails ( -- one row per message read, without its text
    seq BIGINT, -- place in input order, from 0
    place VARCHAR, -- where the message stands: file and byte offset, archive member or log line
    message_id VARCHAR, -- Message-ID without angle brackets
    received_at BIGINT, -- microseconds since 1970, UTC, by the border's clock; null when it wrote none
    client_ip VARCHAR, -- who connected to the border, canonical text; null when not recorded
    helo VARCHAR, -- what HELO or EHLO said
    ptr VARCHAR, -- the name the border found for the address; empty when none or not recorded
    mail_from VARCHAR, -- envelope sender's domain
    header_from VARCHAR, -- address in From:
    from_name VARCHAR, -- display name in From:
    recipient VARCHAR, -- first recipient
    recipients INTEGER, -- how many recipients
    subject VARCHAR, -- decoded and cleaned
    size INTEGER, -- bytes of the whole mail
    words INTEGER, -- words of its text that were read
    media VARCHAR, -- text, html, image-only, one line, none, or not read (a log has no text)
    spf VARCHAR, -- the border's word (RFC 8601), empty when it said nothing
    dkim VARCHAR, -- likewise
    dmarc VARCHAR, -- likewise
    signer VARCHAR, -- the domain that passed authentication, empty when none did
    list_id VARCHAR, -- List-Id (RFC 2919); empty where a customer's line claims one and no check passed
    name VARCHAR, -- under whose name it comes: list, signer or reporting host; empty when none is proven
    reply BOOLEAN, -- In-Reply-To or References present
    forward BOOLEAN, -- the subject begins as an answer's or a forward's does
    automatic BOOLEAN, -- delivery report or automatic answer
    logged BOOLEAN, -- known from a log or export only
    hosts VARCHAR[], -- hosts its links lead to, at most six
    grammars VARCHAR[], -- how its links are written, random parts masked, at most four
    dialect BIGINT, -- header order and casing, Message-ID, Date and mailer, as one hash
    id_form BIGINT, -- Message-ID with the lengths of its parts
    mime_form BIGINT, -- how Content-Type and boundary are written
    layout BIGINT, -- MIME tree and skeleton of HTML elements
    helo_form BIGINT, -- HELO without letters and digits
    sender_form BIGINT, -- envelope sender without letters and digits, and size class: all a log shows
    exact BIGINT, -- the blurred text as one hash
    line TINYINT, -- the address's name: 0 none, 1 made from the address as customers' lines are, 2 another
    system VARCHAR, -- what the border's TCP fingerprint said of the client, empty where it noted none
    claims VARCHAR, -- the system the mail's program claims: windows, apple, other; empty where it names no program
    defects VARCHAR[], -- breaches of format, by name
    mark BIGINT, -- hash of who sent what when to whom, by which a later run knows it again; 0 where no time was noted
    whom BIGINT -- hash of the first recipient; 0 for none
);

CREATE TABLE keys ( -- one row per key of a message that can bring it together with others
    seq BIGINT, -- the message
    kind TINYINT, -- 1 shingle, 2 line, 3 whole text, 4 subject, 5 subject words, 6 host, 7 domain, 8 grammar, 9 file, 10 file part, 11 image form
    key BIGINT -- hash of the trait
);

CREATE TABLE sightings ( -- one row per dated fact of the evidence: all about the campaigns' sources, of others what their front says
    client_ip VARCHAR, -- the address it speaks of
    item VARCHAR, -- the item of likelihoods.md it votes on; empty where it says nothing of the origin
    value TINYINT, -- place of the value among the item's; null where the address only answered
    seen_at BIGINT, -- microseconds since 1970, UTC; null when the row says no time
    kind VARCHAR, -- the kind of fact, as on evidence.md
    said VARCHAR, -- the text itself, cut at 160 characters; null for addresses that are no source
    port INTEGER, -- null when the row names none
    source VARCHAR, -- who says so: shadowserver:scan_telnet, nmap, p0f
    file INTEGER, -- number of the evidence file, in the order of the report
    place VARCHAR, -- file and line
    device_class VARCHAR, -- what a device rule read in the text; null for nothing
    vendor VARCHAR, -- likewise
    model VARCHAR, -- likewise
    confidence FLOAT, -- that the class is right, by the rule
    ours BOOLEAN -- whether the address is a source of a campaign that is no bulk mail
);

CREATE TABLE votes ( -- one row per source and item: the value that counts
    client_ip VARCHAR, -- the source
    item VARCHAR, -- an item of likelihoods.md
    value TINYINT, -- place of the value among the item's
    family VARCHAR, -- what may cast one vote together
    lines BIGINT, -- lines of evidence that say so
    fresh DOUBLE, -- chance that the address still held the same household
    age_days DOUBLE -- how far the freshest of them lies from the mail
);

CREATE TABLE source_origins ( -- one row per source of an assessed campaign: who it is
    campaign BIGINT, -- the campaign, by its number in this run
    client_ip VARCHAR, -- the source
    p_thing_self DOUBLE, -- chances of the five origins; null where none may be printed
    p_thing_relay DOUBLE, -- likewise
    p_nat_pc DOUBLE, -- likewise
    p_mobile DOUBLE, -- likewise
    p_server DOUBLE, -- likewise
    origin VARCHAR, -- the one that is sure enough, or unknown
    device_class VARCHAR, -- where earned
    device_vendor VARCHAR, -- likewise
    device_model VARCHAR -- likewise
);
