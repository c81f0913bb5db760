"""The accounts of one server, and the first administrator: made at the first start, told once, on standard output."""

from __future__ import annotations

import asyncio
import logging
import threading
from dataclasses import dataclass

from srt_router.accounts.accounts import Accounts, FirstAdministrator, Lifetimes
from srt_router.accounts.passwords import SHORTEST
from srt_router.settings import Settings
from srt_router.storage.database import Database

log = logging.getLogger("Accounts")

_LAST_WORDS_S = 2.0
"""A disk that hangs holds up the end of the server for no longer."""


@dataclass(frozen=True, slots=True)
class KeptAccounts:
    """Accounts, and the task that writes what they were used for."""

    accounts: Accounts
    _keeping: asyncio.Task[None]

    async def close(self) -> None:
        """Write the last uses."""
        self._keeping.cancel()
        await self.accounts.close(_LAST_WORDS_S)


def keep_accounts(database: Database, settings: Settings, tasks: asyncio.TaskGroup) -> KeptAccounts:
    """Open the accounts. Nothing on air waits for them: they are read, and the first one is made, by a task."""
    _warn(settings)
    configured = settings.admin_password.get_secret_value() if settings.admin_password else None
    accounts = Accounts(
        database,
        Lifetimes(settings.session_idle_s, settings.session_max_s),
        FirstAdministrator(configured, _tell),
    )
    return KeptAccounts(accounts, tasks.create_task(accounts.run(), name="accounts"))


def _tell(name: str, password: str | None) -> None:
    """A password that was made goes to standard output alone: no log file ever has it."""
    if password is None:
        log.info("The first administrator is %s, with the password of ADMIN_PASSWORD", name)
        return
    text = f"[Accounts] Sign in as {name} with the password {password} (made for this first start, shown this once)\n"
    # in a thread: a terminal that does not read must hold up nothing
    threading.Thread(target=lambda: print(text, end="", flush=True), name="first password", daemon=True).start()


def _warn(settings: Settings) -> None:
    """Say what everybody on the network could read or guess."""
    if settings.host not in ("localhost", "::1") and not settings.host.startswith("127.") and not settings.tls_cert:
        log.warning(
            "HOST is %s without TLS: passwords and tokens can be read on the way. Set TLS_CERT and TLS_KEY, or HOST "
            "to 127.0.0.1 behind a reverse proxy with TLS",
            settings.host,
        )
    if settings.admin_password and len(settings.admin_password.get_secret_value()) < SHORTEST:
        log.warning("ADMIN_PASSWORD has less than %d characters: change the password after the sign-in", SHORTEST)
