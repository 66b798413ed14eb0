"""The lure was sent in our name to strangers, and forty servers report that they could not deliver it.

A delivery report quotes the mail it is about, link and all. It was written by an honest server for an honest
reason, comes with the null sender, and belongs neither to the campaign nor to any other attack.
"""

from __future__ import annotations

from stories.cast import MINUTE, REPORTER, Found, Letter, Post, at, parcel


def tell(post: Post) -> None:
    post.wave("parcel", post.lines.homes(50), at("2014-01-02 08:00"), 20, parcel)
    for number, host in enumerate(post.lines.servers(40)):
        lure = parcel(post.dice)
        quoted = f"Subject: {lure.subject}\nFrom: {lure.from_address}\n\n{lure.text}"
        text = (
            "--=_report\nContent-Type: text/plain\n\nYour message could not be delivered: no such mailbox here.\n"
            "--=_report\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mail.example\n\n"
            f"Action: failed\nStatus: 5.1.1\n--=_report\nContent-Type: message/rfc822\n\n{quoted}\n--=_report--"
        )
        letter = Letter(
            "Undelivered mail returned to sender",
            text,
            "Mail Delivery",
            f"mailer-daemon@firm{number}.example",
            extra=(
                'Content-Type: multipart/report; report-type=delivery-status; boundary="=_report"',
                "Auto-Submitted: auto-replied",
            ),
        )
        post.send("bounce", at("2014-01-02 08:05") + number * MINUTE, host, REPORTER, letter, bounce=True)
    post.everyday(80, at("2014-01-01"), 3)


def promise(found: Found) -> None:
    (attack,) = [c for c in found.campaigns if c["verdict"] == "attack"]
    assert found.whole(attack, "parcel")
    assert "bounce" not in attack["belongs"]
    assert "attack" not in found.verdicts("bounce")
