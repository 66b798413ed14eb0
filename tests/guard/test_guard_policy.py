"""What is done with a finding: the table, the guards before anything stronger than a tag, and people's words."""

from __future__ import annotations

from pathlib import Path

import pytest
from guard.inflight import Stand, above_tag, actions, delivery_of, everyday
from stories.cast import DAY, HOUR, HOUSE, MINUTE, Line, Post, at, parcel

from thingwatch.errors import InputError, SettingError, UsageError
from thingwatch.guard import Action, Options

START = at("2014-01-02 08:00")


def wave(name: str, homes: int = 60) -> tuple[Post, list[Line]]:
    """Everyday mail, and a wave."""
    post = everyday(name, 150, START - 2 * DAY, 2.0)
    pool = post.lines.homes(homes)
    post.wave("bots", pool, START, 10, parcel)
    return post, pool


def attack_of(stand: Stand) -> str:
    return next(row["id"] for row in stand.guard.campaigns() if row["verdict"] == "attack")


def test_the_operators_table_decides() -> None:
    """What the table says of sure and likely attacks is done, with the reply or reason that belongs to it."""
    post, _ = wave("table")
    stand = Stand(actions={"sure": "reject", "likely": "quarantine", "doubtful": "accept"})
    seen = stand.play(post.mails)
    rejected = [one for one in seen if one.answer.action is Action.REJECT]
    assert rejected
    assert rejected[0].answer.reply.startswith("550 5.7.1 ")
    assert not rejected[0].answer.headers
    held = [one for one in seen if one.answer.action is Action.QUARANTINE]
    assert all("campaign y-" in one.answer.reason for one in held)
    assert not actions(seen, "bots").count(Action.DEFER)


def test_answers_are_plain_ascii_lines() -> None:
    """Nothing of the mail gets into headers or replies; they are one line of ASCII each."""
    post, _ = wave("ascii")
    for one in Stand().play(post.mails):
        for text in (
            one.answer.reply,
            one.answer.reason,
            *(part for pair in one.answer.headers for part in pair),
        ):
            assert text.isascii()
            assert "\n" not in text
            assert len(text) < 500


def test_rollback_disarms_and_gives_back_what_was_held() -> None:
    """One command: from the next mail on the campaign is tagged, and every held mail is named."""
    post, pool = wave("rollback")
    stand = Stand()
    seen = stand.play(post.mails)
    campaign = attack_of(stand)
    held = {one.delivery.queue_id for one in seen if one.answer.action is Action.QUARANTINE}
    assert {entry.queue_id for entry in stand.guard.held(campaign)} == held
    released = stand.guard.rollback(campaign)
    assert {entry.queue_id for entry in released} == held
    assert all(entry.recipients and entry.message_id for entry in released)
    assert stand.guard.held(campaign) == []
    later = Post("rollback later")
    later.wave("later", pool, START + HOUR, 5, parcel)
    assert set(actions(stand.play(later.mails), "later")) == {Action.TAG}
    assert len(stand.named("rollback")) == 1


def test_delivered_mails_of_a_campaign_can_be_found() -> None:
    """The first mails, let in before anybody knew, are listed for removal from mailboxes."""
    post, _ = wave("delivered")
    stand = Stand()
    seen = stand.play(post.mails)
    let_in = {
        one.delivery.queue_id for one in seen
        if one.role == "bots" and one.answer.action in (Action.ACCEPT, Action.TAG)
    }  # fmt: skip
    found = {entry.queue_id for entry in stand.guard.delivered(attack_of(stand))}
    assert found == let_in
    assert let_in


@pytest.mark.parametrize(("word", "then"), [("good", Action.ACCEPT), ("bulk", Action.ACCEPT)])
def test_a_mark_takes_effect_on_the_next_mail(word: str, then: Action) -> None:
    """A person says the campaign is none: its next mail is accepted."""
    post, pool = wave(f"mark {word}")
    stand = Stand()
    stand.play(post.mails)
    stand.guard.mark(attack_of(stand), word, by="analyst")
    later = Post(f"mark {word} later")
    later.wave("later", pool, START + HOUR, 5, parcel)
    assert set(actions(stand.play(later.mails), "later")) == {then}


def test_a_mark_of_attack_stops_what_the_judge_is_unsure_of() -> None:
    """Snowshoe mail is unsure; once a person says attack, its next strangers' mail is stopped."""
    post = everyday("mark attack", 150, START - 2 * DAY, 2.0)
    lines = post.lines.servers(6)
    for number in range(30):
        post.send("few", START + number * 30, lines[number % 6], HOUSE, parcel(post.dice))
    stand = Stand()
    seen = stand.play(post.mails)
    assert not above_tag(seen)
    campaign = max(stand.guard.campaigns(), key=lambda row: row["messages"])["id"]
    stand.guard.mark(campaign, "attack")
    later = Post("mark attack later")
    fresh = [Line("203.0.113.9", "mail.other.example", "mail.other.example")]
    later.wave("later", fresh, START + HOUR, 5, parcel, HOUSE)
    assert set(actions(stand.play(later.mails), "later")) == {Action.QUARANTINE}


def test_unknown_campaigns_and_marks_are_refused() -> None:
    """A slip of the hand is said to be one."""
    guard = Stand().guard
    with pytest.raises(UsageError, match="no such campaign"):
        guard.mark("y-99", "attack")
    with pytest.raises(UsageError, match="must be one of"):
        guard.mark("y-99", "evil")
    with pytest.raises(UsageError, match="no such campaign"):
        guard.rollback("y-99")


def test_logins_and_own_networks_are_let_pass() -> None:
    """A signed-in user's mail and our own outbound are accepted, and count for no campaign."""
    post, _ = wave("exempt")
    stand = Stand(allow_networks=["203.0.113.0/24"])
    stand.play(post.mails)
    before = stand.guard.state.young.mails
    lure = Post("exempt lure")
    lure.send("own", START + HOUR, Line("203.0.113.7", "", "app"), HOUSE, parcel(lure.dice))
    lure.send("login", START + HOUR, Line("198.51.100.7", "", "app"), HOUSE, parcel(lure.dice))
    assert stand.decide(lure.mails[0]).answer.action is Action.ACCEPT
    assert stand.decide(lure.mails[1], login="anna").answer.action is Action.ACCEPT
    assert stand.guard.state.young.mails == before
    assert stand.guard.counts["exempt: network"] == stand.guard.counts["exempt: login"] == 1


def test_deferred_mail_that_comes_back_is_counted_once_and_let_in_when_doubt_ends() -> None:
    """The price of doubt: it waits as long as doubt may last, and no campaign grows by its coming back."""
    post = everyday("doubt", 300, START - 2 * DAY, 2.0)
    post.wave("bots", post.lines.homes(6), START, 1, parcel, each=(1,))
    stand = Stand()
    seen = stand.play(post.mails)
    deferred = [one for one in seen if one.answer.action is Action.DEFER]
    assert deferred
    before = stand.guard.state.young.mails
    stand.clock += 5 * MINUTE
    assert stand.guard.decide(deferred[0].delivery).action is Action.DEFER
    stand.clock += 6 * MINUTE
    assert stand.guard.decide(deferred[0].delivery).action is Action.TAG
    assert stand.guard.state.young.mails == before
    status = stand.guard.status()["deferrals"]
    assert status["deferred"] == len(deferred)
    assert status["returned"] == 1
    assert 600 < status["longest_seconds"] < 720


def test_a_spamtrap_hit_twice_marks_a_campaign() -> None:
    """Two addresses nobody uses, hit by strangers with one lure: that is an attack, whatever its size."""
    post = everyday("traps", 150, START - 2 * DAY, 2.0)
    for number, line in enumerate(post.lines.homes(4)):
        post.send(
            "bots", START + number * 60, line, HOUSE, parcel(post.dice), to=f"trap{number % 2}@border.example"
        )
    stand = Stand(traps=["trap0@border.example", "trap1@border.example"])
    stand.play(post.mails)
    assert [event["by"] for event in stand.named("marked")] == ["spamtrap"]


def test_a_campaign_may_touch_little_of_familiar_senders_mail() -> None:
    """A rule that begins to hold the mail of senders known here is disarmed by itself and says why."""
    stand = Stand(max_familiar=0.1, max_share=0.05)
    policy = stand.guard.state.policy
    post, _ = wave("familiar")
    stand.play(post.mails)
    rule = policy.rule_of(attack_of(stand))
    rule.touched, rule.familiar = 200, 30
    later = Post("familiar later")
    later.wave("later", later.lines.homes(10), START + HOUR, 5, parcel)
    assert set(actions(stand.play(later.mails), "later")) == {Action.TAG}
    assert stand.guard.status()["policy"]["softened: touches familiar senders"] > 0


def test_a_rule_lapses_with_its_campaign() -> None:
    """After weeks of silence the first mails are tagged only; then the campaign has earned its action again."""
    post, pool = wave("lapse")
    stand = Stand(rule_days=7)
    stand.play(post.mails)
    later = Post("lapse later")
    later.wave("later", pool, START + 20 * DAY, 10, parcel)
    done = actions(stand.play(later.mails), "later")
    assert set(done[:20]) == {Action.TAG}
    assert set(done[21:]) == {Action.QUARANTINE}


def test_three_failures_in_ten_seconds_open_the_breaker() -> None:
    """A failing detector lets mail pass and is counted; three failures open the breaker, with one alert."""
    post, _ = wave("breaker")
    stand = Stand()
    mails = sorted(post.mails, key=lambda mail: mail.received_at)
    stand.play(mails[:20])
    healthy = stand.guard.state.observe

    def broken(*_: object) -> None:
        raise RuntimeError("on purpose")

    stand.guard.state.observe = broken  # type: ignore[assignment, method-assign]
    for number in range(5):
        stand.clock += 1
        assert stand.guard.decide(delivery_of(mails[20 + number])).action is Action.ACCEPT
    assert len(stand.named("failed")) == 3
    assert len(stand.named("breaker-open")) == 1
    assert stand.guard.status()["breaker"]["passed"] == 2
    stand.guard.state.observe = healthy  # type: ignore[method-assign]
    stand.clock += 61
    stand.guard.decide(delivery_of(mails[30]))
    assert stand.named("breaker-closed")
    assert not stand.guard.status()["breaker"]["open"]


def test_a_listener_that_fails_changes_nothing() -> None:
    """Whoever watches cannot stop the mail."""
    post, _ = wave("listener")
    stand = Stand()

    def broken(_: object) -> None:
        raise RuntimeError("on purpose")

    stand.guard._listener = broken
    seen = stand.play(post.mails)
    assert actions(seen, "bots").count(Action.QUARANTINE) > 10
    assert stand.guard.counts["listener failed"] > 10


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("canary = 3", "must be a bool"),
        ("colour = 'red'", "no such setting"),
        ("max_messages = 5", "must be from"),
        ("[actions]\nsure = 'burn'", "must be one of"),
        ("allow_networks = ['no net']", "192.0.2.0/24"),
        ("canary = ", "not TOML"),
    ],
)
def test_options_say_what_is_wrong(tmp_path: Path, line: str, said: str) -> None:
    """Every wrong setting is named with the cure."""
    path = tmp_path / "guard.toml"
    path.write_text(line, "utf-8")
    with pytest.raises(SettingError, match=said):
        Options.load(path)


def test_options_from_a_file(tmp_path: Path) -> None:
    """The operator's table and lists are read; a file that is not there is said to be so."""
    path = tmp_path / "guard.toml"
    path.write_text("canary = false\nauthserv_ids = ['mx.example']\n[actions]\nknown = 'reject'\n", "utf-8")
    options = Options.load(path)
    assert not options.canary
    assert Action.REJECT in options.table.values()
    with pytest.raises(InputError):
        Options.load(tmp_path / "none.toml")
    assert Options.load(None).canary


def test_a_fresh_install_is_canary_and_believes_nobody() -> None:
    """Defaults: decide and tag; no checks are believed until the operator names them."""
    assert Options().canary
    assert Options().authserv_ids == ()


def test_warming_up_changes_nothing() -> None:
    """A server's preparation leaves no trace in what is remembered."""
    stand = Stand()
    stand.guard.warm()
    assert stand.guard.state.young.mails == 0
    assert stand.guard.status()["memory"]["remembered"] == 0
    assert not stand.events
