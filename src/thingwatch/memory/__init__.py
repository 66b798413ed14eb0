"""What one run remembers for the next: yesterday's campaigns, so that nobody reads a month again.

The front door is ``Memory``: it lies in the folder ``state`` of a case, is opened with ``Memory.open``, put beside new
mail by ``recall`` and ``place``, and written anew by ``keep``. docs/continue.md says what is remembered and what not.
"""

from thingwatch.memory.keep import keep
from thingwatch.memory.recall import Memory
from thingwatch.memory.state import Run, State

__all__ = ["Memory", "Run", "State", "keep"]
