"""Mail as a gateway's log tells it: one Message per mail, bodies unknown.

A mail is spread over many lines of many processes and comes out when its last line is read, so the order
is that of leaving, not of arriving. All recipients of one mail stand in the one Message. A log is text
written partly by strangers (HELO, addresses, subjects): every line is read from its start, field by field,
with the server's own quoting, and nothing inside a field can begin a record or touch another one.
"""

from thingwatch.read.exim import exim
from thingwatch.read.postfix import first_year, postfix

__all__ = ["exim", "first_year", "postfix"]
