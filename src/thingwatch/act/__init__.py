"""Hand what was found to people: a case folder, a page, a summary on the terminal."""

from thingwatch.act.case import write_case
from thingwatch.act.clean import safe, safe_cell
from thingwatch.act.page import write_page
from thingwatch.act.sources import with_evidence
from thingwatch.act.terminal import summary

__all__ = ["safe", "safe_cell", "summary", "with_evidence", "write_case", "write_page"]
