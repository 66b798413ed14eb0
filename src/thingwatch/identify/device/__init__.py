"""Texts of a front → which device it is: rules with their examples, a user's own, Recog's, and other programs' words.

The front doors are ``Rules``, asked for one text, and ``combined``, which makes one label of several texts of a host.
"""

from thingwatch.identify.device.rules import Rules, combined
from thingwatch.identify.device.signature import PARENT_OF

__all__ = ["PARENT_OF", "Rules", "combined"]
