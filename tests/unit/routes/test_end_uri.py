"""Ends as people type them."""

from __future__ import annotations

import pytest

from srt_router.routes.end_uri import end_from_uri
from srt_router.routes.errors import RouteInvalid
from tests.unit.routes.examples import caller, listener, route, udp


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("srt://:4082", listener()),
        ("srt://192.0.2.7:7000?latency=200&passphrase=0123456789", caller(latency=200, passphrase="0123456789")),
        ("srt://192.0.2.7:7000?mode=rendezvous", {**caller(), "mode": "rendezvous"}),
        ("srt://[2001:db8::1]:7000", caller("2001:db8::1")),
        ("srt://:4082?tlpktdrop=false&maxbw=-1&streamId=7", listener(tlpktdrop=False, maxbw=-1, streamId="7")),
        ("udp://239.10.0.1:5000?ttl=8&interface=eth0", udp(ttl=8, interface="eth0")),
        ("udp://:5000", udp(None)),
    ],
)
def test_a_uri_becomes_an_end(text: str, end: dict[str, object]) -> None:
    assert end_from_uri(text) == end
    if "host" in end or end["type"] == "srt":
        route(end, source=listener(4999))


@pytest.mark.parametrize("text", ["", "srt://", "srt://host", "rtmp://h:1935", "udp://h:99999", "srt://h:1/x", "4082"])
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(RouteInvalid, match="is not a URI"):
        end_from_uri(text)


def test_a_passphrase_is_not_repeated_in_an_error() -> None:
    with pytest.raises(RouteInvalid) as caught:
        end_from_uri("rtmp://host:1935?passphrase=correct-horse-42")
    assert "horse" not in str(caught.value)
