"""Play a slice of the script: rows of numbers in, mails, log lines and truth out."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import numpy as np

from thingwatch.replay import attack, bounces, bulk, cast, people, script
from thingwatch.replay.border import Arrival, Border
from thingwatch.replay.cast import Cast
from thingwatch.replay.letters import LEVELS, lures
from thingwatch.replay.script import Cues
from thingwatch.replay.words import dice_for

UNIQUE_STEP = 2_654_435_761  # odd, so that seq * step runs through all 32-bit numbers without repeating


@dataclass(frozen=True, slots=True)
class Play:
    """Which replay this is."""

    scale: float
    seed: int
    level: int
    things: float = cast.THING_SHARE  # of the attack's sources


@dataclass(slots=True)
class Scene:
    """One slice, played. All lists run side by side, one entry per mail, in received order."""

    raws: list[bytes]
    message_ids: list[str]
    campaigns: list[str | None]
    lures: list[str | None]
    client_ips: list[str]
    source_kinds: list[str]
    helos: list[str]
    senders: list[str]
    receivers: list[str]  # the first one of each mail
    log: list[str]  # sorted by time, which stands first in each line


class Stage:
    """Everything a process needs to play slices of one replay."""

    def __init__(self, play: Play) -> None:
        self._play = play
        self._people = Cast(play.scale, play.seed, play.things)
        self._level = LEVELS[play.level]

    def _arrival(self, cue: tuple[int, ...], brands: tuple[int, ...], unique: int, dice: Random) -> Arrival:
        at, kind, run, lure, wave, actor, receiver, address, aux = cue
        everybody, level = self._people, self._level
        match kind:
            case script.CAMPAIGN:
                return attack.arrive(
                    everybody,
                    level,
                    lures("thing")[lure],
                    wave,
                    receiver,
                    address,
                    bool(aux),
                    at,
                    unique,
                    dice,
                )
            case script.BOTNET:
                return attack.arrive(
                    everybody, level, lures("botnet")[lure], 0, receiver, address, False, at, unique, dice
                )
            case script.SNOWSHOE:
                day = (at - script.FIRST) // (24 * script.HOUR)
                return attack.snow(
                    everybody, level, lures("snowshoe")[lure], actor, day, aux, receiver, at, unique, dice
                )
            case script.NEWSLETTER:
                return bulk.newsletter(everybody, run, brands[run], receiver, at, unique, dice)
            case script.TRANSACTIONAL:
                return bulk.transactional(everybody, actor, aux, receiver, at, unique, dice)
            case script.LIST:
                return people.list_mail(everybody, actor, aux, receiver, at, unique, dice)
            case script.BOUNCE:
                return bounces.bounce(everybody, level, actor, lure, aux, receiver, at, unique, dice)
            case script.CHAIN:
                return people.chain_letter(everybody, actor, aux, receiver, at, unique, dice)
            case script.FORWARD:
                return people.forward(everybody, level, actor, lure, receiver, at, unique, dice)
            case _:
                return people.personal(everybody, actor, aux, at, unique, dice)

    def play(self, number: int, first: int, cues: Cues, refusals: Cues, brands: tuple[int, ...]) -> Scene:
        """Slice *number* of the script, whose first row is row *first*."""
        scene = Scene([], [], [], [], [], [], [], [], [], [])
        dice = dice_for("slice", number, self._play.scale, self._play.seed, self._play.level)
        border = Border()
        for row, cue in enumerate(cues.tolist()):
            unique = ((first + row + 1) * UNIQUE_STEP + self._play.seed) & 0xFFFFFFFF
            arrival = self._arrival(cue, brands, unique, dice)
            delivery = border.deliver(arrival, cue[0], unique, dice)
            scene.raws.append(delivery.raw)
            scene.message_ids.append(delivery.message_id)
            scene.campaigns.append(arrival.campaign)
            scene.lures.append(arrival.lure)
            scene.client_ips.append(arrival.home.ip)
            scene.source_kinds.append(arrival.home.kind)
            scene.helos.append(arrival.home.helo)
            scene.senders.append(arrival.mail_from)
            scene.receivers.append(arrival.receivers[0])
            scene.log += delivery.log
        for at, *_, receiver, address, aux in refusals.tolist():
            home = cast.household(address, cast.mixed(address) % 100 < round(100 * self._play.things))
            scene.log += border.refuse(home, at, self._people.receiver(receiver)[1], bool(aux), dice)
        scene.log.sort()
        return scene


def kinds_of(cues: Cues) -> list[str]:
    """The names of the kinds of *cues*."""
    return [script.KINDS[kind] for kind in np.asarray(cues["kind"]).tolist()]
