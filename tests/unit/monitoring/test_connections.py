"""The connection of a process, read from the lines of its log."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srt_router.monitoring import connections
from srt_router.monitoring.connections import Connection, ConnectionState, read_line

LISTENER_LOG = """\
Media path: 'srt://:4082?mode=listener&latency=120' --> 'udp://239.255.1.2:20000?adapter=127.0.0.1&ttl=0'
00:13:34.717045/SRT:RcvQ:w1.N:SRT.cn: PASSING request from: 127.0.0.1:36798 to agent:281469165
00:13:34.717224/SRT:RcvQ:w1.N:SRT.cn: Listener managed the connection request from: 127.0.0.1:36798 result:waveahand
00:13:34.717669/SRT:RcvQ:w1.N:SRT.cn: HSREQ/rcv: cmd=1(HSREQ) len=12 vers=0x10501 opts=0xbf delay=120
00:13:34.717740/SRT:RcvQ:w1.N:SRT.cn: listen ret: -1 - conclusion
Accepted SRT source connection
"""


def after(*lines: str, state: ConnectionState = ConnectionState()) -> ConnectionState:
    for number, line in enumerate(lines):
        state = read_line(state, line, number)
    return state


def test_a_listener_gets_a_client() -> None:
    state = after(*LISTENER_LOG.splitlines())
    assert (state.connection, state.peer, state.connects) == (Connection.CONNECTED, "127.0.0.1:36798", 1)
    state = after("SRT source disconnected", state=state)
    assert (state.connection, state.peer, state.connects) == (Connection.WAITING, None, 1)


FOREIGN = "06:41:37.393418/SRT:RcvQ:w1.N:SRT.cn: Listener managed the connection request from: 192.0.2.9:7 result:ok"


@pytest.mark.parametrize("pieces", range(1, 4))
def test_the_line_of_a_connection_is_torn_by_a_thread_that_writes_too(pieces: int) -> None:
    parts = ["Accepted SRT ", "source", " connection", ""]
    torn = ["".join(parts[:pieces]) + FOREIGN, "".join(parts[pieces:])]
    state = after(*LISTENER_LOG.splitlines()[:-1], *torn)
    assert (state.connection, state.peer, state.connects) == (Connection.CONNECTED, "127.0.0.1:36798", 1)


def test_the_line_of_a_disconnection_is_torn_by_who_calls_next() -> None:
    state = after(*LISTENER_LOG.splitlines(), f"SRT source disconnected{FOREIGN}", "")
    assert (state.connection, state.peer, state.connects) == (Connection.WAITING, "192.0.2.9:7", 1)
    assert after(f"SRT target connected{FOREIGN}", "").connected


def test_a_second_caller_does_not_become_the_peer() -> None:
    state = after(*LISTENER_LOG.splitlines(), "PASSING request from: 192.0.2.9:1 to agent:2")
    assert state.peer == "127.0.0.1:36798"


def test_a_caller_connects() -> None:
    state = after("12:00:00.1/T*N:SRT.cn: @1:Connection established to: 192.0.2.7:7000")
    assert (state.connected, state.peer, state.connects) == (True, "192.0.2.7:7000", 1)
    assert after("SRT source connected", state=state) == state


def test_the_peer_is_known_in_whichever_order_the_two_threads_write() -> None:
    state = after("SRT target connected", "12:00:00.1/T*N:SRT.cn: @1:Connection established to: 192.0.2.7:7000")
    assert (state.connected, state.peer, state.connects) == (True, "192.0.2.7:7000", 1)


def test_udp_receives_and_falls_silent() -> None:
    state = after("UDP source receiving")
    assert state.connected
    assert not after("UDP source silent", state=state).connected


def test_a_rejection_and_an_error_are_kept_until_a_connection() -> None:
    state = after("12:00:00.1/T*E:SRT.cn: @1: REJECT reported from HS processing: Incorrect passphrase - not retrying")
    assert state.rejection is not None
    assert "passphrase" in state.rejection
    state = after("ERROR: srt_bind: Connection setup failure: resource busy", state=state)
    assert state.error == "srt_bind: Connection setup failure: resource busy"
    state = after("SRT target connected", state=state)
    assert (state.rejection, state.error) == (None, None)


def test_a_new_life_waits() -> None:
    state = connections.started(after("SRT target connected"), 7)
    assert (state.connection, state.since_ms, state.connects) == (Connection.WAITING, 7, 1)


@given(st.lists(st.text(max_size=80)))
def test_nothing_that_a_log_may_say_breaks_it(lines: list[str]) -> None:
    state = after(*lines)
    assert state.connects <= len(lines)


def test_who_calls_a_listener_says_its_latency_and_version() -> None:
    handshake = "03:28:10.842095/SRT:RcvQ:w1.N:SRT.cn: HSREQ/rcv: cmd=1(HSREQ) len=12 vers=0x10501 opts=0xbf delay=300"
    state = read_line(ConnectionState(), handshake, 1)
    state = read_line(state, "Accepted SRT target connection", 2)
    assert (state.peer_latency_ms, state.peer_version) == (300, "1.5.1")
    late = read_line(state, handshake.replace("delay=300", "delay=900"), 3)
    assert late.peer_latency_ms == 300  # somebody else who tries to connect
    state = read_line(state, "SRT target disconnected", 4)
    assert (state.peer_latency_ms, state.peer_version) == (None, None)
