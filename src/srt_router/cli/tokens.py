"""`srt-router tokens`: sign-ins for scripts."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from srt_router.accounts.roles import Role
from srt_router.cli import display
from srt_router.cli.desk import Desk
from srt_router.cli.options import ConfigOption, JsonOption, read_settings
from srt_router.cli.users import moment

tokens = typer.Typer(name="tokens", help="Sign-ins for scripts: list, add, remove API tokens.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(help="Name of the token.", show_default=False)]
_DAY_MS = 24 * 3600 * 1000


@tokens.command("list")
def list_tokens(config: ConfigOption = None, json: JsonOption = False) -> None:
    """List API tokens: name, role, whose, when it ends, when and from where it was last used."""
    found = Desk(read_settings(config)).tokens()
    if json:
        print(display.as_json({"items": found}))
        return
    rows = [("NAME", "ROLE", "USER", "EXPIRES", "LAST USED", "FROM")]
    for one in found:
        used = (moment(one["usedAt"]), one["usedFrom"] or "-")
        rows.append((one["name"], one["role"], one["user"] or "-", moment(one["expiresAt"]), *used))
    print(display.columns(rows))


@tokens.command("add")
def add_token(
    name: NameArgument,
    role: Annotated[Role, typer.Option("--role", help="What the token may do.")] = Role.VIEWER,
    days: Annotated[int | None, typer.Option("--days", min=1, help="It ends after so many days; else never.")] = None,
    config: ConfigOption = None,
) -> None:
    """Make an API token and print it, alone, this once: for `Authorization: Bearer`."""
    expires_at = None if days is None else time.time_ns() // 1_000_000 + days * _DAY_MS
    print(Desk(read_settings(config)).add_token(name, role, expires_at))


@tokens.command("remove")
def remove_token(name: NameArgument, config: ConfigOption = None) -> None:
    """Delete an API token: it counts no more at once."""
    Desk(read_settings(config)).remove_token(name)
    print(f"Token {name} was removed")
