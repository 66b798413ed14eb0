"""Which system a mail's program says it runs on: a claim, read from the name it gives itself."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thingwatch.fingerprint.client import claimed_system


@pytest.mark.parametrize(
    ("mailer", "system"),
    [
        (b"Microsoft Outlook Express 6.00.2900.5931", "windows"),
        (b"Microsoft Office Outlook 12.0", "windows"),
        (b"The Bat! (v3.99) Professional", "windows"),
        (b"QUALCOMM Windows Eudora Version 5.1", "windows"),
        (b"Mozilla/5.0 (Windows NT 6.1; WOW64; rv:24.0) Gecko/20100101 Thunderbird/24.2.0", "windows"),
        (b"MICROSOFT OUTLOOK EXPRESS", "windows"),
        (b"Microsoft-MacOutlook/14.3.9", "apple"),
        (b"Apple Mail (2.1510)", "apple"),
        (b"iPhone Mail (11B554a)", "apple"),
        (b"Mozilla/5.0 (Macintosh; Intel Mac OS X 10.9; rv:24.0) Gecko/20100101 Thunderbird/24.2.0", "apple"),
        (b"Mozilla/5.0 (X11; Linux x86_64; rv:24.0) Gecko/20100101 Thunderbird/24.2.0", "other"),
        (b"PHPMailer 5.1", "other"),
        (b"\xff\xfe", "other"),
        (b"", ""),
    ],
)
def test_the_system_behind_a_programs_name(mailer: bytes, system: str) -> None:
    """A program of one system names it, Apple's before Microsoft's; any other says nothing, and none says none."""
    assert claimed_system(mailer) == system


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_name_is_one_of_four(mailer: bytes) -> None:
    """Whatever a program calls itself, the answer is one of four, and empty for no name alone."""
    assert claimed_system(mailer) in ("windows", "apple", "other", "")
    assert (claimed_system(mailer) == "") == (mailer == b"")
