"""What the guard writes into a mail and says to its sender: header fields, SMTP replies; ASCII, from our own words."""

from __future__ import annotations

from thingwatch.guard.finding import Finding
from thingwatch.guard.gateway import Action
from thingwatch.guard.policy import Ruling

FORGED_REPLY = "550 5.6.0 Too many header fields under names of our own"
MAX_REASONS = 4  # named in the header, strongest first


def headers_of(finding: Finding, ruling: Ruling) -> tuple[tuple[str, str], ...]:
    """The fields of a tagged mail: for people, and a symbol for filters behind us."""
    said = [
        f"{finding.verdict or 'unsure'}; certainty={finding.certainty}; bits={finding.bits:.1f}",
        f"campaign={finding.campaign}",
    ]
    if ruling.wanted is not ruling.action:
        said.append(f"would={ruling.wanted}")
    if ruling.why:
        said.append(f"softened={ruling.why.replace(' ', '-')}")
    if finding.reasons:
        names = [name.replace(" ", "-").replace(",", "") for name in finding.reasons[:MAX_REASONS]]
        said.append("reasons=" + ",".join(names))
    return (
        ("X-Thingwatch-Verdict", "; ".join(said)),
        ("X-Thingwatch-Symbol", f"THINGWATCH_{finding.certainty.upper()}"),
    )


def reply_of(finding: Finding, action: Action, minutes: float) -> str:
    """The SMTP reply for a mail that is not taken; RFC 5321, 4.2 and RFC 3463."""
    if action is Action.DEFER:
        return f"451 4.7.1 Resembles a wave being judged, try again in {minutes:.0f} minutes ({finding.campaign})"
    if action is Action.REJECT:
        return f"550 5.7.1 Part of a spam campaign ({finding.campaign}); ask postmaster if it is not"
    return ""


def reason_of(finding: Finding) -> str:
    """Why a mail is held, for the server's log."""
    return f"campaign {finding.campaign}, {finding.certainty}"
