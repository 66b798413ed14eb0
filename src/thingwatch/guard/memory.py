"""Where the keys of the stream were seen before: a table of fixed size, found and changed in microseconds.

A key belongs to one *holder*: a single mail, or the lure it grew into. Beside the holder stand how many of its mails
held the key, how many others did, and in how many hands (dialects) the key was written. Worth is counted as in
``group``: a key of many hands is an ordinary phrase; once a lure has three mails, a key speaks for it by the odds of
holding it inside and outside. The key goes to whoever holds it most, by majority vote (Boyer and Moore, 1981).

The table is set-associative, as a processor's cache is: a key may stand in one of ``WAYS`` places. A full set gives
up a dead place, or the place fewest mails held. So memory is bounded by construction, nothing is ever rehashed, and
forgetting a mail costs nothing: its number's *generation* moves on, and every place that names the old one is dead.

Hands are counted in a multiresolution bitmap of 32 bits (Estan, Varghese and Fisk, 2003): exact to a few, within a
half of a bit of worth beyond, and a hand counted twice is counted once.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from thingwatch.fingerprint.kinds import KINDS
from thingwatch.group.lures import CAPS, KIND_BITS
from thingwatch.model import Family

WAYS = 16
KEYS_PER_MAIL = 32  # places set aside for each mail remembered; mails have 30 keys and share many
FILLED = 0.75  # of the places, when as many mails are remembered as may be
MAX_CANDIDATES = 24  # holders one mail is compared with; its 50 keys rarely meet more than three
SLOT_BITS = 24
_SLOT = np.uint32((1 << SLOT_BITS) - 1)
FREE, SINGLE, LURE = 0, 1, 2
MIN_WORTH = 0.5  # bits from which a key tells anything
MIN_VOTE = 1.0  # bits from which a key speaks for a lure
MIN_SIGNATURE = 3  # mails from which a lure has a signature

PLACE = np.dtype([("tag", "u4"), ("holder", "u4"), ("hands", "u4"), ("inside", "u2"), ("others", "u2")])
SLOT = np.dtype(
    [
        ("generation", "u1"),
        ("state", "u1"),
        ("name_class", "u1"),
        ("flags", "u1"),
        ("messages", "u4"),
        ("at", "i8"),
        ("dialect", "u8"),
        ("layout", "u8"),
        ("mime_form", "u8"),
        ("id_form", "u8"),
        ("name", "u8"),
        ("source", "u8"),
        ("network", "u8"),
        ("recipient", "u8"),
    ]
)
_FAMILIES = {Family.TEXT: 0, Family.SUBJECT: 1, Family.LINK: 2, Family.ATTACHMENT: 3}
_FAMILY = np.zeros(max(KINDS) + 1, dtype=np.int64)
_BITS = np.zeros(max(KINDS) + 1, dtype=np.float64)
for _kind, (_family, _) in KINDS.items():
    _FAMILY[_kind] = _FAMILIES[_family]
    _BITS[_kind] = KIND_BITS[_kind]
_CAP = np.array([CAPS["cap_text"], CAPS["cap_subject"], CAPS["cap_link"], CAPS["cap_file"]])
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_S32 = np.uint64(32)
_LOW32 = np.uint64(0xFFFFFFFF)
_MOST = np.uint16(0xFFFF)

FOUND = np.dtype(
    [("slot", "i8"), ("star", "f8"), ("vote", "f8"), ("shared", "i8"), ("speaking", "i8"), ("links", "i8")]
)


@njit(cache=True, inline="always")
def _hand_bit(hand: Any) -> Any:
    # 16 bits for most hands, 8 for a sixteenth, 8 for a 256th of them.
    low = hand & np.uint32(0xFF)
    if low == 0:
        return np.uint32(1) << (np.uint32(24) + ((hand >> np.uint32(8)) & np.uint32(7)))
    if low & np.uint32(0xF) == 0:
        return np.uint32(1) << (np.uint32(16) + ((hand >> np.uint32(8)) & np.uint32(7)))
    return np.uint32(1) << ((hand >> np.uint32(8)) & np.uint32(15))


@njit(cache=True, inline="always")
def _ones(x: Any) -> Any:
    x = x - ((x >> np.uint32(1)) & np.uint32(0x55555555))
    x = (x & np.uint32(0x33333333)) + ((x >> np.uint32(2)) & np.uint32(0x33333333))
    x = (x + (x >> np.uint32(4))) & np.uint32(0x0F0F0F0F)
    return np.int64((x * np.uint32(0x01010101)) >> np.uint32(24) & np.uint32(0xFF))


@njit(cache=True)
def _unset(size: int, ones: int) -> float:
    # Linear counting; a full bitmap counts as half a bit short of it.
    return size * math.log(size / max(size - ones, 0.5))


@njit(cache=True)
def hands_in(bitmap: Any) -> float:
    """About how many hands *bitmap* has noted."""
    low = _ones(bitmap & np.uint32(0xFFFF))
    middle = _ones(bitmap & np.uint32(0xFF0000))
    high = _ones(bitmap & np.uint32(0xFF000000))
    if low <= 13:
        return max(1.0, _unset(16, low) + _unset(8, middle) + _unset(8, high))
    if middle <= 6:
        return 16 * (_unset(8, middle) + _unset(8, high)) if middle + high > 0 else _unset(16, low)
    return 256 * _unset(8, high) if high > 0 else 16 * _unset(8, middle)


@njit(cache=True, inline="always")
def _set_of(key: Any, sets: int) -> tuple[Any, Any]:
    mixed = key * _GOLDEN
    tag = np.uint32(mixed & _LOW32)
    if tag == 0:
        tag = np.uint32(1)
    return np.int64(((mixed >> _S32) * np.uint64(sets)) >> _S32) * WAYS, tag


@njit(cache=True, inline="always")
def _is_alive(slots: Any, holder: Any) -> Any:
    slot = holder & _SLOT
    return slots[slot].state != FREE and slots[slot].generation == np.uint8(holder >> np.uint32(SLOT_BITS))


@njit(cache=True, nogil=True)
def _meet(
    places: Any, slots: Any, keys: Any, kinds: Any, hand: Any, hands: float, mails: float, found: Any
) -> tuple[int, int]:
    sets = places.shape[0] // WAYS
    bit = _hand_bit(hand)
    sums = np.zeros((MAX_CANDIDATES, 8))
    n = held = 0
    for k in range(keys.shape[0]):
        base, tag = _set_of(keys[k], sets)
        for at in range(base, base + WAYS):
            place = places[at]
            if place.tag != tag:
                continue
            kind = kinds[k]
            worth = min(_BITS[kind], math.log2((hands + 1.0) / hands_in(place.hands | bit)))
            if worth > MIN_WORTH:
                held += 1
            if not _is_alive(slots, place.holder):
                break
            slot = np.int64(place.holder & _SLOT)
            c = 0
            while c < n and found[c].slot != slot:
                c += 1
            if c == MAX_CANDIDATES:
                break
            if c == n:
                n += 1
                found[c].slot = slot
                found[c].shared = found[c].speaking = found[c].links = 0
            family = _FAMILY[kind]
            if worth > MIN_WORTH:
                sums[c, family] += worth
                found[c].shared += 1
                if kind >= 6:
                    found[c].links += 1
            size = slots[slot].messages
            if size >= MIN_SIGNATURE:
                odds = ((place.inside + 0.1) / (size + 1.0)) / (
                    (place.others + 0.5) / (max(0.0, mails - size) + 1.0)
                )
                vote = min(_BITS[kind], math.log2(odds))
                if vote > MIN_VOTE:
                    sums[c, 4 + family] += vote
                    found[c].speaking += 1
            break
    for c in range(n):
        star = vote = 0.0
        for family in range(4):
            star += min(_CAP[family], sums[c, family])
            vote += min(_CAP[family], sums[c, 4 + family])
        found[c].star = star
        found[c].vote = vote
    return n, held


@njit(cache=True, nogil=True)
def _hold(places: Any, slots: Any, keys: Any, hand: Any, holder: Any, every: int) -> None:
    sets = places.shape[0] // WAYS
    bit = _hand_bit(hand)
    mine = slots[holder & _SLOT]
    for k in range(keys.shape[0]):
        base, tag = _set_of(keys[k], sets)
        free, least, fewest = -1, -1, np.int64(1 << 30)
        known = False
        for at in range(base, base + WAYS):
            place = places[at]
            if place.tag == tag:
                known = True
                place.hands |= bit
                if place.holder == holder:
                    if place.inside == _MOST:
                        place.inside >>= 1
                        place.others >>= 1
                    place.inside += 1
                elif not _is_alive(slots, place.holder):
                    place.others = min(np.int64(_MOST), np.int64(place.others) + np.int64(place.inside))
                    place.holder = holder
                    place.inside = 1
                else:
                    if place.others == _MOST:
                        place.inside >>= 1
                        place.others >>= 1
                    place.others += 1
                    single = slots[place.holder & _SLOT].messages <= 1
                    if place.others > place.inside or (single and place.others >= place.inside):
                        place.others = min(
                            np.int64(_MOST), np.int64(place.others) + np.int64(place.inside) - 1
                        )
                        place.holder = holder
                        place.inside = 1
                break
            if place.tag == 0:
                if free < 0:
                    free = at
                continue
            weight = np.int64(place.inside) + np.int64(place.others)
            if not _is_alive(slots, place.holder):
                weight = -(np.int64(1) << 20) + _ones(place.hands)
            if weight < fewest:
                fewest, least = weight, at
        if known:
            continue
        # Stray words of a large lure are new every time and nobody's signature: few of them are let in.
        if every > 1 and (keys[k] ^ np.uint64(mine.messages)) * _GOLDEN >> np.uint64(40) & np.uint64(
            every - 1
        ):
            continue
        if free < 0:
            if every > 1 and fewest > 1:
                continue
            free = least
        place = places[free]
        place.tag, place.holder, place.hands = tag, holder, bit
        place.inside, place.others = 1, 0


@njit(cache=True, nogil=True)
def _matching(
    places: Any, slots: Any, keys: Any, kinds: Any, ends: Any, wanted: Any, mails: float, votes: Any
) -> None:
    """How loudly each of the mails whose keys stand end to end in *keys* speaks for the *wanted* slots."""
    sets = places.shape[0] // WAYS
    start = 0
    for m in range(ends.shape[0]):
        sums = np.zeros(4)
        for k in range(start, ends[m]):
            base, tag = _set_of(keys[k], sets)
            for at in range(base, base + WAYS):
                place = places[at]
                if place.tag != tag:
                    continue
                slot = np.int64(place.holder & _SLOT)
                if not _is_alive(slots, place.holder):
                    break
                for w in range(wanted.shape[0]):
                    if wanted[w] == slot:
                        size = slots[slot].messages
                        odds = ((place.inside + 0.1) / (size + 1.0)) / (
                            (place.others + 0.5) / (max(0.0, mails - size) + 1.0)
                        )
                        vote = min(_BITS[kinds[k]], math.log2(odds))
                        if vote > MIN_VOTE:
                            sums[_FAMILY[kinds[k]]] += vote
                        break
                break
        start = ends[m]
        votes[m] = 0.0
        for family in range(4):
            votes[m] += min(_CAP[family], sums[family])


class Memory:
    """The places of keys and the slots of their holders; at most *capacity* holders at a time."""

    def __init__(self, capacity: int) -> None:
        """Set room aside; the system gives real memory as it is used."""
        self.capacity = capacity
        sets = max(64, int(capacity * KEYS_PER_MAIL / FILLED / WAYS))
        self.places = np.zeros(sets * WAYS, dtype=PLACE)
        self.slots = np.zeros(capacity, dtype=SLOT)
        self._found = np.zeros(MAX_CANDIDATES, dtype=FOUND)
        self._free = np.arange(capacity - 1, -1, -1, dtype=np.uint32)
        self.used = 0

    def take(self) -> int:
        """A free slot; there must be one."""
        self.used += 1
        return int(self._free[self.capacity - self.used])

    def give_back(self, slot: int) -> None:
        """Forget what *slot* stands for; every place that names it is dead from now on."""
        row = self.slots[slot]
        row["generation"] = (int(row["generation"]) + 1) & 0xFF
        row["state"] = FREE
        self._free[self.capacity - self.used] = slot
        self.used -= 1

    def holder(self, slot: int) -> int:
        """*slot* with its generation: a name that is never used again for 256 tenants."""
        return int(self.slots["generation"][slot]) << SLOT_BITS | slot

    def meet(
        self, keys: NDArray[np.uint64], kinds: NDArray[np.int8], hand: int, hands: float, mails: float
    ) -> tuple[list[tuple[int, float, float, int, int, int]], int]:
        """Holders that share telling keys with a mail: (slot, star likeness, votes, keys shared, keys that speak,
        of those shared, links); and how many of its keys others hold that tell anything."""
        n, held = _meet(
            self.places, self.slots, keys, kinds, np.uint32(hand & 0xFFFFFFFF), hands, mails, self._found
        )
        return self._found[:n].tolist(), held

    def hold(self, keys: NDArray[np.uint64], hand: int, slot: int, every: int = 1) -> None:
        """Note that a mail of *slot* holds *keys*; of keys never seen only one in *every* (a power of two)."""
        _hold(
            self.places,
            self.slots,
            keys,
            np.uint32(hand & 0xFFFFFFFF),
            np.uint32(self.holder(slot)),
            every,
        )

    def matching(
        self,
        keys: NDArray[np.uint64],
        kinds: NDArray[np.int8],
        ends: NDArray[np.int64],
        slots: list[int],
        mails: float,
    ) -> NDArray[np.float64]:
        """Votes of each of the mails in *keys* (end to end, cut at *ends*) for the lures in *slots* together."""
        votes = np.zeros(len(ends))
        _matching(self.places, self.slots, keys, kinds, ends, np.array(slots, dtype=np.int64), mails, votes)
        return votes

    @property
    def nbytes(self) -> int:
        """Bytes set aside."""
        return int(self.places.nbytes + self.slots.nbytes + self._free.nbytes)

    def lay(self) -> None:
        """Touch every page set aside, so that no mail waits for the system to find one."""
        pages = self.places.view(np.uint8)[::4096]
        pages |= np.uint8(0)

    def restore_free(self) -> None:
        """Find the free slots again, after ``slots`` was read from a snapshot."""
        free = np.flatnonzero(self.slots["state"] == FREE).astype(np.uint32)
        self.used = self.capacity - len(free)
        self._free[: len(free)] = free[::-1]
