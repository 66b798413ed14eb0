"""The guard as a milter: what Postfix and Sendmail ask before they promise to deliver a mail.

The front door is ``MilterServer``: it listens, asks a ``Decide`` about every mail, and carries out the answer.
"""

from thingwatch.guard.milter.server import Counters, Limits, MilterServer

__all__ = ["Counters", "Limits", "MilterServer"]
