"""Accounts on a real gateway.db."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from srt_router.accounts import accounts as module
from srt_router.accounts import passwords
from srt_router.accounts.accounts import Accounts, FirstAdministrator, Lifetimes, UserChange
from srt_router.accounts.errors import (
    LastAdministrator,
    PasswordRefused,
    SessionNotFound,
    SignInRefused,
    SignInThrottled,
    TokenNotFound,
    TokenRefused,
    UserNameRefused,
    UserNotFound,
)
from srt_router.accounts.passwords import Passwords
from srt_router.accounts.records import Kind, Origin
from srt_router.accounts.roles import Role
from srt_router.accounts.sign_in import SESSIONS_OF_USER, SignIn
from srt_router.accounts.throttle import TRIES_OF_PAIR
from srt_router.storage.database import Database, Unavailable

PASSWORD = "correct-horse-42"
HERE = Origin("192.0.2.1", "tests")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Argon2id all the same, but as cheap as can be."""
    monkeypatch.setattr(passwords, "PASSES", 1)
    monkeypatch.setattr(passwords, "MEMORY_KIB", 8)


def everything(folder: Path) -> bytes:
    """All that is in the files of a folder."""
    return b"".join(path.read_bytes() for path in folder.iterdir())


@contextlib.asynccontextmanager
async def opened(folder: Path, password: str | None = PASSWORD, **lifetimes: float) -> AsyncIterator[Accounts]:
    """Accounts with their first administrator."""
    database = Database(folder)
    accounts = Accounts(database, Lifetimes(**lifetimes), FirstAdministrator(password, lambda *_: None))
    await accounts.load()
    try:
        yield accounts
    finally:
        await accounts.close(2)
        await database.close()


async def test_the_first_administrator_has_the_password_that_is_configured(tmp_path: Path) -> None:
    async with opened(tmp_path) as accounts:
        (user,) = accounts.users()
        assert (user.name, user.role, user.must_change_password) == ("admin", Role.ADMINISTRATOR, False)
        assert (await SignIn(accounts).sign_in("Admin", PASSWORD, HERE)).user.name == "admin"


async def test_the_first_administrator_gets_a_password_that_is_told_once(tmp_path: Path) -> None:
    told: list[tuple[str, str | None]] = []
    for _ in range(2):
        database = Database(tmp_path)
        accounts = Accounts(database, first=FirstAdministrator(None, lambda *words: told.append(words)))
        await accounts.load()
        ((name, password),) = told
        assert name == "admin"
        assert password
        await SignIn(accounts).sign_in(name, password, HERE)
        await accounts.close(2)
        await database.close()
    assert password
    assert password.encode() not in everything(tmp_path)


async def test_a_configured_password_counts_at_the_first_start_only(tmp_path: Path) -> None:
    async with opened(tmp_path):
        pass
    async with opened(tmp_path, "another-horse-43") as accounts:
        with pytest.raises(SignInRefused):
            await SignIn(accounts).sign_in("admin", "another-horse-43", HERE)
        await SignIn(accounts).sign_in("admin", PASSWORD, HERE)


async def test_without_a_first_administrator_none_is_made(tmp_path: Path) -> None:
    accounts = Accounts(Database(tmp_path))
    await accounts.load()
    assert accounts.users() == []
    with pytest.raises(SignInRefused):
        await SignIn(accounts).sign_in("admin", "admin", HERE)


async def test_nothing_that_opens_anything_stands_in_the_file(tmp_path: Path) -> None:
    async with opened(tmp_path) as accounts:
        signed = await SignIn(accounts).sign_in("admin", PASSWORD, HERE)
        _, token = await accounts.add_token("deploy", Role.VIEWER, user_id=None, expires_at=None)
        local = accounts.open_local()
    kept = everything(tmp_path)
    for secret in (PASSWORD, signed.secret, token, local):
        assert secret.encode() not in kept
        assert secret.split("_", 1)[-1].encode() not in kept


async def test_all_of_it_survives(tmp_path: Path) -> None:
    async with opened(tmp_path) as accounts:
        await accounts.add_user("bob", Role.VIEWER, "bobs-password", must_change_password=True)
        signed = await SignIn(accounts).sign_in("admin", PASSWORD, HERE)
        _, token = await accounts.add_token("deploy", Role.OPERATOR, user_id=signed.user.id, expires_at=None)
        accounts.identify(token, "192.0.2.77")
        local = accounts.open_local()
    async with opened(tmp_path) as accounts:
        assert [(user.name, user.must_change_password) for user in accounts.users()] == [
            ("admin", False),
            ("bob", True),
        ]
        found = accounts.identify(signed.secret, None)
        assert found is not None
        assert (found.name, found.kind) == ("admin", Kind.SESSION)
        (kept,) = accounts.book.tokens.values()
        assert kept.used_from == "192.0.2.77"
        assert accounts.identify(local, None) is None  # new at each start
        assert (await SignIn(accounts).sign_in("admin", PASSWORD, Origin("203.0.113.9", "", signed.device))).user


async def test_names_and_passwords_that_are_refused(tmp_path: Path) -> None:
    async with opened(tmp_path) as accounts:
        for name in ("", "admin", "ADMIN", "local", "nobody", "a b", "a:b", "-a", "é", "x" * 65, "a\n"):
            with pytest.raises(UserNameRefused):
                await accounts.add_user(name, Role.VIEWER, PASSWORD)
        for password in ("", "short-7", "aaaaaaaaaaaa", "x" * 257, "somebody"):
            with pytest.raises(PasswordRefused):
                await accounts.add_user("somebody", Role.VIEWER, password)
        assert len(accounts.users()) == 1


async def test_two_of_the_same_name_at_once_are_one(tmp_path: Path) -> None:
    async with opened(tmp_path) as accounts:
        tries = [accounts.add_user(name, Role.VIEWER, "bobs-password") for name in ("bob", "Bob", "BOB")]
        outcomes = await asyncio.gather(*tries, return_exceptions=True)
        assert sum(isinstance(one, UserNameRefused) for one in outcomes) == 2
        assert len(accounts.users()) == 2


async def test_the_last_administrator_stays(tmp_path: Path) -> None:
    async with opened(tmp_path) as accounts:
        await accounts.add_user("bob", Role.OPERATOR, "bobs-password")
        for change in (UserChange(role=Role.VIEWER), UserChange(disabled=True)):
            with pytest.raises(LastAdministrator):
                await accounts.change_user("admin", change)
        with pytest.raises(LastAdministrator):
            await accounts.remove_user("admin")
        await accounts.change_user("bob", UserChange(role=Role.ADMINISTRATOR))
        outcomes = await asyncio.gather(
            accounts.remove_user("admin"), accounts.remove_user("bob"), return_exceptions=True
        )
        assert sum(isinstance(one, LastAdministrator) for one in outcomes) == 1
        assert len(accounts.book.administrators()) == 1


async def test_a_disabled_administrator_is_none(tmp_path: Path) -> None:
    async with opened(tmp_path) as accounts:
        await accounts.add_user("bob", Role.ADMINISTRATOR, "bobs-password")
        await accounts.change_user("bob", UserChange(disabled=True))
        with pytest.raises(LastAdministrator):
            await accounts.remove_user("admin")
        await accounts.remove_user("bob")


async def test_a_new_password_ends_all_other_sessions(tmp_path: Path) -> None:
    async with opened(tmp_path) as accounts:
        door = SignIn(accounts)
        one, two = [await door.sign_in("admin", PASSWORD, HERE) for _ in range(2)]
        who = accounts.identify(one.secret, None)
        assert who is not None
        with pytest.raises(SignInRefused):
            await door.change_password(who, "not-my-password", "another-horse-43")
        with pytest.raises(PasswordRefused):
            await door.change_password(who, PASSWORD, "short")
        assert accounts.identify(two.secret, None)
        await door.change_password(who, PASSWORD, "another-horse-43")
        assert accounts.identify(one.secret, None)
        assert accounts.identify(two.secret, None) is None
        await accounts.change_user("admin", UserChange(password="a-third-horse-44"))
        assert accounts.identify(one.secret, None) is None
        for old in (PASSWORD, "another-horse-43"):
            with pytest.raises(SignInRefused):
                await door.sign_in("admin", old, HERE)
        await door.sign_in("admin", "a-third-horse-44", HERE)


async def test_a_forced_change_is_over_with_the_change(tmp_path: Path) -> None:
    async with opened(tmp_path) as accounts:
        door = SignIn(accounts)
        await accounts.add_user("bob", Role.VIEWER, "bobs-password", must_change_password=True)
        signed = await door.sign_in("bob", "bobs-password", HERE)
        who = accounts.identify(signed.secret, None)
        assert who is not None
        assert who.must_change_password
        await door.change_password(who, "bobs-password", "bobs-new-password")
        who = accounts.identify(signed.secret, None)
        assert who is not None
        assert not who.must_change_password


async def test_disabling_and_removing_end_sessions_and_tokens(tmp_path: Path) -> None:
    async with opened(tmp_path) as accounts:
        door = SignIn(accounts)
        bob = await accounts.add_user("bob", Role.OPERATOR, "bobs-password")
        signed = await door.sign_in("bob", "bobs-password", HERE)
        _, token = await accounts.add_token("bobs", Role.OPERATOR, user_id=bob.id, expires_at=None)
        await accounts.change_user("bob", UserChange(disabled=True))
        assert accounts.identify(signed.secret, None) is None
        assert accounts.identify(token, None) is None
        with pytest.raises(SignInRefused):
            await door.sign_in("bob", "bobs-password", HERE)
        await accounts.change_user("bob", UserChange(disabled=False))
        assert accounts.identify(signed.secret, None) is None
        assert accounts.identify(token, None)
        await accounts.remove_user("bob")
        assert accounts.identify(token, None) is None
        with pytest.raises(UserNotFound):
            accounts.user("bob")
    async with opened(tmp_path) as accounts:
        assert not accounts.book.tokens
        assert not accounts.book.sessions


async def test_sessions_are_revoked_by_their_owner(tmp_path: Path) -> None:
    async with opened(tmp_path) as accounts:
        door = SignIn(accounts)
        bob = await accounts.add_user("bob", Role.VIEWER, "bobs-password")
        mine, his = await door.sign_in("admin", PASSWORD, HERE), await door.sign_in("bob", "bobs-password", HERE)
        with pytest.raises(SessionNotFound):
            await accounts.revoke([mine.session.id], bob.id)
        assert accounts.identify(mine.secret, None)
        await accounts.revoke([his.session.id], bob.id)
        assert accounts.identify(his.secret, None) is None
        await accounts.revoke([mine.session.id], None)
        assert not accounts.book.sessions


async def test_sessions_of_one_user_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def at_once(*_: object, **__: object) -> bool:
        return True

    async with opened(tmp_path) as accounts:
        monkeypatch.setattr(Passwords, "verify", at_once)
        door = SignIn(accounts)
        first = await door.sign_in("admin", PASSWORD, HERE)
        for _ in range(SESSIONS_OF_USER):
            await door.sign_in("admin", PASSWORD, HERE)
        assert len(accounts.book.sessions) == SESSIONS_OF_USER
        assert accounts.identify(first.secret, None) is None


async def test_tokens(tmp_path: Path) -> None:
    async with opened(tmp_path) as accounts:
        made, secret = await accounts.add_token("deploy", Role.OPERATOR, user_id=1, expires_at=None)
        for name in ("deploy", "", "a:b", "x" * 65):
            with pytest.raises(TokenRefused):
                await accounts.add_token(name, Role.VIEWER, user_id=None, expires_at=None)
        with pytest.raises(TokenNotFound):
            await accounts.remove_token(made.id, 2)
        assert accounts.identify(secret, None)
        await accounts.remove_token(made.id, 1)
        assert accounts.identify(secret, None) is None


async def test_wrong_passwords_are_throttled_and_the_right_one_elsewhere_is_not(tmp_path: Path) -> None:
    async with opened(tmp_path) as accounts:
        door = SignIn(accounts)
        known = await door.sign_in("admin", PASSWORD, HERE)
        for _ in range(TRIES_OF_PAIR):
            with pytest.raises(SignInRefused):
                await door.sign_in("admin", "wrong-password", HERE)
        with pytest.raises(SignInThrottled) as caught:
            await door.sign_in("admin", PASSWORD, HERE)
        assert 0 < caught.value.wait_s <= 31
        await door.sign_in("admin", PASSWORD, Origin("203.0.113.9"))
        await door.sign_in("admin", PASSWORD, Origin(HERE.address, "", known.device))


async def test_a_full_disk_keeps_no_operator_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(tmp_path) as accounts:

        async def full(*_: object) -> None:
            raise Unavailable("no space left")

        with monkeypatch.context() as patch:
            patch.setattr(Accounts, "commit", full)
            signed = await SignIn(accounts).sign_in("admin", PASSWORD, HERE)
            assert accounts.identify(signed.secret, None)
            with pytest.raises(Unavailable):
                await accounts.add_user("bob", Role.VIEWER, "bobs-password")
            assert len(accounts.users()) == 1
        await accounts.flush()
    async with opened(tmp_path) as accounts:
        assert accounts.identify(signed.secret, None)


async def test_a_database_that_cannot_be_read_is_said_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "gateway.db").write_bytes(b"no database" * 100)
    accounts = Accounts(Database(tmp_path), first=FirstAdministrator(PASSWORD, lambda *_: None))
    with pytest.raises(Unavailable):
        await SignIn(accounts).sign_in("admin", PASSWORD, HERE)
    assert not accounts.loaded
    assert accounts.identify(accounts.open_local(), None)
    assert (tmp_path / "gateway.db").read_bytes() == b"no database" * 100


async def test_ended_sessions_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(tmp_path, idle_s=60) as accounts:
        signed = await SignIn(accounts).sign_in("admin", PASSWORD, HERE)
        now = module.now_ms()
        monkeypatch.setattr(module, "now_ms", lambda: now + 61_000)
        assert accounts.identify(signed.secret, None) is None
        await accounts.flush()
        assert not accounts.book.sessions
    with contextlib.closing(sqlite3.connect(tmp_path / "gateway.db")) as connection:
        assert connection.execute("SELECT count(*) FROM sessions").fetchone() == (0,)


async def test_a_hash_made_with_other_costs_is_renewed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(tmp_path) as accounts:
        before = accounts.user("admin").password_hash
        assert before.startswith("$argon2id$")
    monkeypatch.setattr(passwords, "PASSES", 2)
    async with opened(tmp_path) as accounts:
        await SignIn(accounts).sign_in("admin", PASSWORD, HERE)
        assert accounts.user("admin").password_hash != before
        await SignIn(accounts).sign_in("admin", PASSWORD, HERE)


def test_the_real_costs_are_no_less_than_recommended() -> None:
    """OWASP's least, two passes over 19 MiB; the fixture above is for tests alone."""
    text = Path(passwords.__file__).read_text()
    assert "PASSES, MEMORY_KIB, LANES = 2, 65536, 1" in text


async def test_strangers_do_not_delay_who_is_known() -> None:
    """However many strangers wait, and those that are too many are sent away."""
    one = passwords.Passwords()
    hashed = await one.hash(PASSWORD)
    strangers = [asyncio.create_task(one.verify(hashed, "guess", known=False)) for _ in range(100)]
    assert await one.verify(hashed, PASSWORD, known=True)
    outcomes = await asyncio.gather(*strangers, return_exceptions=True)
    assert sum(isinstance(each, SignInThrottled) for each in outcomes) == 80
    assert set(outcomes) - {each for each in outcomes if isinstance(each, SignInThrottled)} == {False}
    one.close()
