"""The draws of ``bench/share.py``, for tests: campaigns with known truth, seen through a table that is off."""

import importlib.util
import sys
from pathlib import Path

_PLACE = Path(__file__).parents[2] / "bench" / "share.py"
_SPEC = importlib.util.spec_from_file_location("share_bench", _PLACE)
assert _SPEC is not None
assert _SPEC.loader is not None
share_bench = importlib.util.module_from_spec(_SPEC)
sys.modules["share_bench"] = share_bench
_SPEC.loader.exec_module(share_bench)
