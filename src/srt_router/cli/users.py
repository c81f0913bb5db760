"""`srt-router users`: who can sign in, and what to do about a lost password."""

from __future__ import annotations

import getpass
import sys
import time
from typing import Annotated

import typer

from srt_router.accounts.accounts import UserChange
from srt_router.accounts.opaque import new_password
from srt_router.accounts.roles import Role
from srt_router.cli import display
from srt_router.cli.desk import CommandFailed, Desk
from srt_router.cli.options import ConfigOption, JsonOption, read_settings

users = typer.Typer(name="users", help="Who can sign in: list, add, change, remove users.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(help="Name of the user.", show_default=False)]
RoleOption = Annotated[Role, typer.Option("--role", help="What the user may do.")]
GenerateOption = Annotated[bool, typer.Option("--generate", help="Make a password and print it.")]
MustChangeOption = Annotated[bool, typer.Option("--must-change", help="It must be changed at the next sign-in.")]


@users.command("list")
def list_users(config: ConfigOption = None, json: JsonOption = False) -> None:
    """List users: name, role, state, last sign-in, number of sessions."""
    found = Desk(read_settings(config)).users()
    if json:
        print(display.as_json({"items": found}))
        return
    rows = [("NAME", "ROLE", "STATE", "LAST SIGN-IN", "SESSIONS")]
    for one in found:
        state = "disabled" if one["disabled"] else "must change password" if one["mustChangePassword"] else "active"
        rows.append((one["name"], one["role"], state, moment(one["lastSignInAt"]), str(one["sessions"])))
    print(display.columns(rows))


@users.command("add")
def add_user(
    name: NameArgument,
    role: RoleOption = Role.VIEWER,
    generate: GenerateOption = False,
    must_change: MustChangeOption = False,
    config: ConfigOption = None,
) -> None:
    """Add a user. The password is asked for, or read from standard input."""
    desk = Desk(read_settings(config))
    password = _password(generate=generate)
    desk.add_user(name, role, password, must_change=must_change)
    print(f"User {name} was added ({role})")
    _show(password, generate=generate)


@users.command("password")
def set_password(
    name: NameArgument,
    generate: GenerateOption = False,
    must_change: MustChangeOption = False,
    config: ConfigOption = None,
) -> None:
    """Set a new password, for instance in place of a lost one. All sessions of the user end."""
    desk = Desk(read_settings(config))
    password = _password(generate=generate)
    desk.change_user(name, UserChange(password=password, must_change_password=must_change))
    print(f"User {name} has a new password; all sessions have ended")
    _show(password, generate=generate)


@users.command("role")
def set_role(
    name: NameArgument,
    role: Annotated[Role, typer.Argument(help="What the user may do from now on.", show_default=False)],
    config: ConfigOption = None,
) -> None:
    """Give a user another role, at once, also where signed in already."""
    Desk(read_settings(config)).change_user(name, UserChange(role=role))
    print(f"User {name} is {role} now")


@users.command("disable")
def disable_user(name: NameArgument, config: ConfigOption = None) -> None:
    """Keep a user out: all sessions end, API tokens do not count. Nothing is deleted."""
    Desk(read_settings(config)).change_user(name, UserChange(disabled=True))
    print(f"User {name} is disabled")


@users.command("enable")
def enable_user(name: NameArgument, config: ConfigOption = None) -> None:
    """Let a disabled user in again."""
    Desk(read_settings(config)).change_user(name, UserChange(disabled=False))
    print(f"User {name} is enabled")


@users.command("remove")
def remove_user(
    name: NameArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    config: ConfigOption = None,
) -> None:
    """Remove a user with all sessions and API tokens."""
    desk = Desk(read_settings(config))
    if not yes and not _confirmed(f"Remove the user {name}, with all sessions and API tokens? (yes/no): "):
        print("Nothing was done")
        return
    desk.remove_user(name)
    print(f"User {name} was removed")


def moment(at_ms: int | None) -> str:
    """`2026-11-22 14:03Z`, or `never`."""
    return "never" if at_ms is None else time.strftime("%Y-%m-%d %H:%MZ", time.gmtime(at_ms / 1000))


def _password(*, generate: bool) -> str:
    """Never an argument: those stand in `ps` for everybody."""
    if generate:
        return new_password()
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    first = getpass.getpass("New password: ")
    if getpass.getpass("Again: ") != first:
        raise CommandFailed("the two passwords differ: nothing was changed")
    return first


def _show(password: str, *, generate: bool) -> None:
    if generate:
        print(f"Password: {password}")


def _confirmed(question: str) -> bool:
    print(question, end="", flush=True)
    answer = sys.stdin.readline()
    if not sys.stdin.isatty():
        print()
    return answer.strip().lower() in ("yes", "y")
