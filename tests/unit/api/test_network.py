"""Where a request really comes from, and whether its Host is us."""

from __future__ import annotations

import ipaddress

import pytest

from srt_router.api.access import Visitor
from srt_router.api.network import Network
from srt_router.api.rates import BURST, Rates

PROXIED = Network(proxies=(ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("127.0.0.1")))


@pytest.mark.parametrize(
    ("network", "peer", "headers", "expected"),
    [
        (Network(), "192.0.2.1", {}, ("192.0.2.1", False, False)),
        (Network(), "127.0.0.1", {}, ("127.0.0.1", False, True)),
        (Network(), "::ffff:192.0.2.1", {}, ("192.0.2.1", False, False)),
        (Network(), "::ffff:127.0.0.1", {}, ("127.0.0.1", False, True)),
        (Network(), "fe80::1%eth0", {}, ("fe80::1", False, False)),
        (Network(), None, {}, (None, False, False)),
        # nobody's word counts who is not trusted; and who passes something on is not on this machine
        (Network(), "192.0.2.1", {b"x-forwarded-for": "127.0.0.1"}, ("192.0.2.1", False, False)),
        (Network(), "127.0.0.1", {b"x-forwarded-for": "192.0.2.1"}, ("127.0.0.1", False, False)),
        (Network(), "192.0.2.1", {b"x-forwarded-proto": "https"}, ("192.0.2.1", False, False)),
        (PROXIED, "192.0.2.1", {b"x-forwarded-for": "198.51.100.1"}, ("192.0.2.1", False, False)),
        # a trusted proxy's does, up to the first that is not trusted
        (PROXIED, "10.0.0.1", {b"x-forwarded-for": "198.51.100.1"}, ("198.51.100.1", False, False)),
        (PROXIED, "10.0.0.1", {b"x-forwarded-for": "6.6.6.6, 198.51.100.1, 10.9.9.9"}, ("198.51.100.1", False, False)),
        (PROXIED, "10.0.0.1", {b"x-forwarded-for": "6.6.6.6, nonsense, 10.9.9.9"}, ("10.9.9.9", False, False)),
        (PROXIED, "10.0.0.1", {b"x-forwarded-for": "127.0.0.1"}, ("127.0.0.1", False, False)),
        (PROXIED, "10.0.0.1", {}, ("10.0.0.1", False, False)),
        (PROXIED, "127.0.0.1", {b"x-forwarded-for": "2001:db8::1"}, ("2001:db8::1", False, False)),
        (PROXIED, "127.0.0.1", {}, ("127.0.0.1", False, True)),
        (PROXIED, "10.0.0.1", {b"x-forwarded-proto": "https"}, ("10.0.0.1", True, False)),
        (PROXIED, "10.0.0.1", {b"x-forwarded-proto": "https, http"}, ("10.0.0.1", False, False)),
    ],
)
def test_the_visitor(
    network: Network, peer: str | None, headers: dict[bytes, str], expected: tuple[str | None, bool, bool]
) -> None:
    assert network.visitor(peer, headers) == Visitor(*expected)


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("127.0.0.1:8080", True),
        ("192.0.2.1", True),
        ("[2001:db8::1]:8080", True),
        ("LocalHost:8080", True),
        ("router.example.com", True),
        ("ROUTER.example.com.:8080", True),
        ("other.example.com", False),
        ("router.example.com.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("127.0.0.1:80, evil.example", False),
        ("evil.example, 127.0.0.1", False),
        ("[::1", False),
        ("", False),
    ],
)
def test_hosts(host: str, known: bool) -> None:
    assert Network(hosts=frozenset({"router.example.com"})).knows_host(host) is known


def test_requests_without_a_sign_in_are_counted_by_address() -> None:
    rates = Rates()
    stranger = Visitor("192.0.2.1", secure=False, on_this_machine=False)
    assert [rates.wait_s(stranger, 0.0) > 0 for _ in range(BURST + 2)] == [False] * BURST + [True] * 2
    assert rates.wait_s(Visitor("192.0.2.2", secure=False, on_this_machine=False), 0.0) == 0
    assert rates.wait_s(stranger, 1.0) == 0
    here = Visitor("127.0.0.1", secure=False, on_this_machine=True)
    assert not any(rates.wait_s(here, 0.0) for _ in range(2 * BURST))
