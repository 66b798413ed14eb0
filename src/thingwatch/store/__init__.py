"""What we remember: the tables of a run, in an embedded engine. The front door is ``Engine``."""

from thingwatch.store.engine import Engine, query

__all__ = ["Engine", "query"]
