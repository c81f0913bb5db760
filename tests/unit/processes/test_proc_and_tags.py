"""Parsing what /proc says, and the tag's way through an environment."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srt_router.processes import proc
from srt_router.processes.tag import Tag, new_nonce, read_tag
from tests.unit.processes.builders import OURS

STAT = b"%d (%b) %b 1 77 77 0 -1 4194560 1 2 3 4 50 25 7 8 20 0 4 0 123456 9 1887 18446744073709551615 " + b"0 " * 22


@given(st.integers(1, 4_194_304), st.binary(max_size=15).filter(lambda name: b"\0" not in name))
def test_any_process_name_is_parsed(pid: int, name: bytes) -> None:
    found = proc.parse_stat(STAT % (pid, name, b"S"))
    assert found is not None
    assert (found.pid, found.comm) == (pid, name.decode("utf-8", "replace"))
    assert (found.ppid, found.pgid, found.cpu_ticks, found.start_ticks, found.rss_pages) == (1, 77, 75, 123456, 1887)
    assert not found.dead


@pytest.mark.parametrize(("state", "dead"), [(b"S", False), (b"D", False), (b"T", False), (b"Z", True), (b"X", True)])
def test_who_is_dead(state: bytes, dead: bool) -> None:
    found = proc.parse_stat(STAT % (7, b"a) S (b", state))
    assert found is not None
    assert (found.comm, found.dead) == ("a) S (b", dead)


@given(st.binary(max_size=200))
def test_garbage_is_no_stat(raw: bytes) -> None:
    if b"(" not in raw:
        assert proc.parse_stat(raw) is None


def test_this_process() -> None:
    found = proc.stat(os.getpid())
    assert found is not None
    assert found.ppid == os.getppid()
    assert proc.runs_as(os.getpid(), os.geteuid())
    assert not proc.runs_as(os.getpid(), 65_533)
    assert proc.settled(os.getpid())
    assert proc.in_our_pid_namespace(os.getpid())
    assert {os.getpid(), os.getppid()} <= proc.ancestors(os.getpid())
    assert "python" in (proc.program(os.getpid()) or "")
    assert proc.stat(4_194_305) is None
    assert proc.environ(4_194_305) is None
    assert not proc.runs_as(4_194_305, os.geteuid())


WORDS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)


@given(WORDS.filter(bool), WORDS, WORDS, WORDS)
def test_a_tag_goes_round(instance: str, data_dir: str, route: str, process: str) -> None:
    tag = Tag(instance, data_dir, route, process, "spec", new_nonce())
    block = b"\0".join(os.fsencode(f"{name}={value}") for name, value in tag.environment().items()) + b"\0"
    assert read_tag(proc.parse_environ(block)) == tag


def test_the_server_carries_no_tag() -> None:
    assert read_tag({}) is None
    assert read_tag({"SRT_ROUTER_INSTANCE": "x"}) is None
    assert read_tag({"SRT_ROUTER_INSTANCE": "", "SRT_ROUTER_NONCE": "n"}) is None
    assert read_tag(replace(OURS, data_dir="").environment()) == replace(OURS, data_dir="")


def test_the_first_of_two_counts_as_for_getenv() -> None:
    assert proc.parse_environ(b"A=1\0A=2\0nothing\0B=x=y\0") == {"A": "1", "B": "x=y"}


def test_nothing_else_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SRT_ROUTER_ADMIN_PASSWORD", "secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    assert "secret" not in OURS.environment().values()
    assert OURS.environment()["PATH"] == os.environ["PATH"]


def test_nonces_are_new() -> None:
    assert len({new_nonce() for _ in range(1000)}) == 1000
