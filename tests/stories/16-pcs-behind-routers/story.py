"""Sixty homes send a lure; at every address a scan finds the router's own page, and every connection is Windows.

Whoever counts banners has found sixty routers that send spam. The first packet of each connection says who did: a
PC behind the router. The share of things must come out near nothing and only as an upper end, and the tempting
reading must stand beside it, with how many of its routers spoke Windows.
"""

from __future__ import annotations

from stories.cast import Found, Post, at, parcel

WINDOWS = "4:115+13:0:1460:8192,8:mss,nop,ws,nop,nop,sok:df,id+:0"


def tell(post: Post) -> None:
    homes = post.lines.homes(60)
    post.wave("parcel", homes, at("2014-01-02 08:00"), 20, parcel)
    post.everyday(80, at("2014-01-01"), 3)
    for line in homes:
        post.witness(line, "2014-01-02T08:10:00Z", "tcp.syn", WINDOWS)
        post.witness(line, "2014-01-03T12:00:00Z", "device.label", "router\tNETGEAR\tWNR2000")


def promise(found: Found) -> None:
    (attack,) = [c for c in found.campaigns if c["verdict"] == "attack"]
    assert found.whole(attack, "parcel")
    things = attack["things"]
    assert things["status"] == "at most"
    assert things["share"][1] <= 0.05
    assert things["naive_by_banner"] == 1.0
    assert things["naive"]["both_windows"] == 60
    assert things["by_device_class"] == {}
