"""Who somebody is, by what it shows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from srt_router.accounts.book import LOCAL, Book
from srt_router.accounts.devices import known_device, new_device
from srt_router.accounts.opaque import digest, new_password, new_secret
from srt_router.accounts.records import ApiToken, Identity, Kind, Session, User
from srt_router.accounts.roles import Role

ALICE = User(1, "alice", Role.OPERATOR, "hash", False, False, 0, 5, None)
SESSION = Session("s1", digest("srs_secret"), 1, 0, 1000, 100_000, "192.0.2.1", "browser")
TOKEN = ApiToken("t1", digest("srt_secret"), "deploy", Role.ADMINISTRATOR, 1, 0, None, None, None)


def book(user: User = ALICE, session: Session = SESSION, token: ApiToken = TOKEN, idle_ms: int = 10_000) -> Book:
    made = Book(idle_ms)
    made.fill([user], [session], [token])
    return made


@pytest.mark.parametrize(
    ("least", "allowed"),
    [
        (Role.VIEWER, {Role.VIEWER, Role.OPERATOR, Role.ADMINISTRATOR}),
        (Role.OPERATOR, {Role.OPERATOR, Role.ADMINISTRATOR}),
        (Role.ADMINISTRATOR, {Role.ADMINISTRATOR}),
    ],
)
def test_roles_stand_in_line(least: Role, allowed: set[Role]) -> None:
    assert {role for role in Role if role.covers(least)} == allowed


def test_a_session() -> None:
    assert book().identify("srs_secret", None, 2000) == Identity("alice", Role.OPERATOR, Kind.SESSION, "s1", 1)
    assert book().identify("srs_other", None, 2000) is None
    assert book().identify("", None, 2000) is None


def test_a_session_ends_when_it_is_not_used() -> None:
    assert book().identify("srs_secret", None, 11_000) is not None
    assert book().identify("srs_secret", None, 11_001) is None


def test_use_keeps_a_session_up_to_its_end() -> None:
    one = book()
    for now in range(2000, 100_000, 5000):
        assert one.identify("srs_secret", None, now) is not None
    assert one.identify("srs_secret", None, 100_000) is None
    assert one.used_sessions == {SESSION.digest}
    assert [session.id for session in one.ended(100_000)] == ["s1"]


def test_what_a_disabled_user_has_counts_no_more() -> None:
    one = book(user=replace(ALICE, disabled=True))
    assert one.identify("srs_secret", None, 2000) is None
    assert one.identify("srt_secret", None, 2000) is None


def test_a_token_can_do_no_more_than_its_user_can_now() -> None:
    assert book().identify("srt_secret", None, 1) == Identity("deploy", Role.OPERATOR, Kind.TOKEN, "t1", 1)
    promoted = book(user=replace(ALICE, role=Role.ADMINISTRATOR))
    found = promoted.identify("srt_secret", None, 1)
    assert found is not None
    assert found.role is Role.ADMINISTRATOR


def test_a_token_ends_and_its_last_use_is_noted() -> None:
    one = book(token=replace(TOKEN, expires_at=5000))
    assert one.identify("srt_secret", "192.0.2.9", 4999) is not None
    assert one.identify("srt_secret", "192.0.2.9", 5000) is None
    (kept,) = one.tokens.values()
    assert (kept.used_at, kept.used_from) == (4999, "192.0.2.9")


def test_a_token_of_a_user_who_is_gone_counts_no_more() -> None:
    one = book()
    one.users.clear()
    assert one.identify("srt_secret", None, 1) is None
    assert one.identify("srs_secret", None, 2000) is None


def test_the_local_credential() -> None:
    one = book()
    one.local = digest("srl_secret")
    assert one.identify("srl_secret", None, 1) is LOCAL
    one.fill([], [], [])
    assert one.identify("srl_secret", None, 1) is LOCAL
    one.local = None
    assert one.identify("srl_secret", None, 1) is None


def test_a_device_is_known_to_its_user_until_the_password_changes() -> None:
    key = b"k" * 32
    cookie = new_device(key, ALICE)
    number = known_device(key, ALICE, cookie)
    assert number
    assert cookie.startswith(number)
    assert known_device(key, replace(ALICE, id=2), cookie) is None
    assert known_device(key, replace(ALICE, password_changed_at=6), cookie) is None
    assert known_device(b"x" * 32, ALICE, cookie) is None
    for forged in ("", "a.b", number, f"{number}.", "é.é", "x" * 500, None):
        assert known_device(key, ALICE, forged) is None
    assert known_device(key, None, cookie) is None


def test_secrets_are_long_and_never_the_same() -> None:
    assert len({new_secret("srs_") for _ in range(100)}) == 100
    assert len(new_secret("srs_")) >= 40
    assert len({new_password() for _ in range(100)}) == 100
    assert len(new_password()) == 23


def test_records_do_not_show_what_is_kept_of_secrets() -> None:
    assert "hash'" not in repr(ALICE)
    assert repr(SESSION.digest) not in repr(SESSION)
    assert repr(TOKEN.digest) not in repr(TOKEN)
