"""A subject that carries markup must stay text in the page."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from thingwatch.act import write_page

REPORTS = runpy.run_path(str(Path(__file__).parents[1] / "act" / "reports.py"))


@pytest.mark.parametrize(
    "attack",
    [
        "<script>alert(1)</script>",
        "</title><script>x</script>",
        "</style><img src=x onerror=y>",
        "\"'><svg onload=z>",
        "<!--",
        "]]>",
        "</bdi></pre></td></table>",
        "{{ 7*7 }}{% include 'page.html' %}",
        "&lt;script&gt;",
        "javascript:alert(1)",
        "<a href=http://evil.example>",
        "\ud800<b>",
        "<\x00script>",
        "\uff1cscript\uff1e",
        "▇<i>▇",
    ],
)
def test_markup_stays_text(attack: str, tmp_path: Path) -> None:
    """With the attack in every place that mail can write to, the page has the same elements as without."""
    written = []
    for name, text in (("plain", "plain"), ("attack", f"plain{attack}")):
        found = REPORTS["campaign"](text=text, lures=2, bins=50)
        found["kind"] = text
        document = REPORTS["report"]([found], headline=text)
        document["input"] |= {"paths": [text], "border": [text]}
        document["settings"] = {text: text}
        write_page(document, tmp_path / f"{name}.html")
        written.append((tmp_path / f"{name}.html").read_text(encoding="utf-8"))
    plain, attacked = written
    counted = [
        "<script",
        "<img",
        "<svg",
        "<a ",
        "<b>",
        "<i>",
        "<bdi>",
        "</bdi>",
        "</pre>",
        "</table>",
        "</style>",
        "</title>",
        "<!--",
        "onerror=y>",
        "onload=z>",
    ]
    for piece in counted:
        assert attacked.count(piece) == plain.count(piece), piece
    assert "http://" not in attacked
    assert attacked.count("7*7") >= 10 * attack.count("7*7")


def test_specimen_keeps_its_lines(tmp_path: Path) -> None:
    """A specimen is shown line by line, with hidden stretches as blocks and links that lead nowhere."""
    found = REPORTS["campaign"](lures=1, bins=50)
    found["lures"][0]["specimen"] = "Dear ▇▇▇,\n<b>pay</b> at http://x.example/a\n"
    write_page(REPORTS["report"]([found]), tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Dear <del>▇▇▇</del>,\n&lt;b&gt;pay&lt;/b&gt; at hxxp://x[.]example/a" in text
