"""The border that the tests with a real Postfix share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from guard.milter.border import MAX_MAIL_BYTES, Border
from guard.milter.serving import ANSWERS, Serving
from guard.postfix import Postfix

from thingwatch.guard.gateway import Action
from thingwatch.guard.milter import Limits


@pytest.fixture(scope="module", params=["tcp", "unix"])
def running_border(request: pytest.FixtureRequest) -> Iterator[Border]:
    """One Postfix for many tests, over TCP and over a Unix socket."""
    postfix = Postfix(cleanup_replace_stray_cr_lf="no")
    path = postfix.folder / "milter.sock" if request.param == "unix" else None
    with Serving(limits=Limits(max_bytes=MAX_MAIL_BYTES), unix=path) as serving:
        postfix.settings["smtpd_milters"] = postfix.settings["non_smtpd_milters"] = serving.address
        with postfix:
            yield Border(postfix, serving)


@pytest.fixture
def border(running_border: Border) -> Iterator[Border]:
    """The same, with an empty inbox, and a milter that tags every mail."""
    yield running_border
    running_border.serving.deliveries.clear()
    running_border.serving.failures.clear()
    running_border.serving.answer = lambda delivery: ANSWERS[Action.TAG]
    running_border.postfix.settle()
    running_border.postfix.empty_inbox()
