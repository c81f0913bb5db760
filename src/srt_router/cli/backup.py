"""`srt-router backup`: copies of gateway.db and routes.json, with or without a server that runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from pydantic import TypeAdapter

from srt_router.cli import display
from srt_router.cli.desk import CommandFailed, Json, connected
from srt_router.cli.options import ConfigOption, JsonOption, read_settings
from srt_router.cli.users import moment
from srt_router.processes.directories import SafeDirectory
from srt_router.settings import Settings
from srt_router.storage.backup_folder import BackupFolder, BackupNotFound, BackupSet, set_name
from srt_router.supervision import backup_sets
from srt_router.supervision.backup_sets import Restored, Verification
from srt_router.supervision.installation import find_server

backup = typer.Typer(
    name="backup", help="Backups of gateway.db and routes.json: create, list, verify, restore.", no_args_is_help=True
)

_VERIFICATION = TypeAdapter(Verification)
_RESTORED = TypeAdapter(Restored)

NameArgument = Annotated[
    str, typer.Argument(help="Name of the backup, or the moment in it, or `latest`.", show_default=False)
]


@backup.command("create")
def create(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Make a backup now, with or without a server that runs. The last 30 are kept.

    Exit status: 0 done, 1 it could not be made, 2 usage.
    """
    settings = read_settings(config)
    server = find_server(settings)
    if server:
        made: Json = {**connected(server).backups.create()}
    else:
        with _locked(settings), _folder(settings) as folder:
            content = backup_sets.routes_on_disk(settings.data_dir)
            made = _item(backup_sets.make_set(settings.data_dir, folder, content))
            folder.prune()
    if json:
        print(display.as_json(made))
    else:
        print(f"Backup {made['name']} was made ({display.memory(made['size'])})")


@backup.command("list")
def list_backups(config: ConfigOption = None, json: JsonOption = False) -> None:
    """List every backup, newest first."""
    with _folder(read_settings(config)) as folder:
        found, place = [_item(one) for one in folder.sets()], folder.path
    if json:
        print(display.as_json({"folder": str(place), "items": found}))
        return
    rows = [("NAME", "MADE (UTC)", "SIZE")]
    rows += [(one["name"], moment(one["createdAt"]), display.memory(one["size"])) for one in found]
    print(display.columns(rows))
    print(f"{len(found)} backup(s) in {place}")


@backup.command("verify")
def verify(name: NameArgument = "latest", config: ConfigOption = None, json: JsonOption = False) -> None:
    """Read a backup to the last byte: checksums, the database's integrity and version, every route.

    Exit status: 0 it can be restored, 1 it cannot, 2 usage.
    """
    with _folder(read_settings(config)) as folder:
        found = backup_sets.verify(folder, _find(folder, name))
    if json:
        print(display.as_json(_VERIFICATION.dump_python(found, mode="json", by_alias=True)))
    elif found.ok:
        print(f"{found.name}: good ({found.routes} route(s), {found.events} event(s), {found.users} user(s))")
    else:
        print("\n".join(f"{found.name}: {problem}" for problem in found.problems))
    if not found.ok:
        raise typer.Exit(1)


@backup.command("restore")
def restore(
    name: NameArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Make gateway.db and routes.json what they were, with or without a server that runs.

    The backup is verified before anything is replaced, and what is there is backed up first. Of routes on air only
    those that differ are touched. What happened since stays in the history.

    Exit status: 0 done (also when the answer was no), 1 it could not be restored, 2 usage.
    """
    settings = read_settings(config)
    server = find_server(settings)
    with _folder(settings) as folder:
        wanted = _find(folder, name).name
    where = f"the running server ({server})" if server else str(settings.data_dir)
    if not yes and not _confirmed(f"Restore {wanted} in {where}? (yes/no): ", to_stderr=json):
        print(display.as_json({"done": False}) if json else "Nothing was done")
        return
    if server:
        done: Json = {**connected(server).backups.restore(wanted)}
    else:
        with _locked(settings):
            found = backup_sets.restore_offline(settings.data_dir, wanted, "local")
        done = _RESTORED.dump_python(found, mode="json", by_alias=True)
    if json:
        print(display.as_json({"done": True, **done}))
    else:
        _tell(done)


def _tell(done: Json) -> None:
    counts = f"{len(done['added'])} added, {len(done['changed'])} changed, {len(done['removed'])} removed"
    print(f"Backup {done['name']} was restored; routes: {counts}")
    if done["safety"]:
        print(f"What was there before: {done['safety']}")
    for name in done["setAside"]:
        print(f"Could not be used, and was set aside: {name}")


def _item(found: BackupSet) -> Json:
    return {
        "name": found.name,
        "routesName": found.routes_name,
        "createdAt": found.created_at,
        "size": found.size,
    }


def _find(folder: BackupFolder, text: str) -> BackupSet:
    """Raises BackupNotFound."""
    if text == "latest":
        sets = folder.sets()
        if not sets:
            raise BackupNotFound(f"there is no backup in {folder.path}")
        return sets[0]
    name = set_name(Path(text).name if Path(text).parent == folder.path else text)
    if name is None:
        raise BackupNotFound(
            f"{text!r} is not the name of a backup: srt-router backup list. Files are looked for in {folder.path}"
        )
    return folder.find(name)


@contextmanager
def _folder(settings: Settings) -> Iterator[BackupFolder]:
    _become_owner(settings.data_dir)
    try:
        with BackupFolder(settings.data_dir) as folder:
            yield folder
    except OSError as error:
        raise CommandFailed(f"{error.filename or settings.data_dir}: {error.strerror}") from error


@contextmanager
def _locked(settings: Settings) -> Iterator[None]:
    """No server can start meanwhile: we hold its lock."""
    _become_owner(settings.data_dir)
    directory = SafeDirectory(settings.data_dir, mode=0o750, setting="DATA_DIR")
    try:
        directory.lock("DATA_DIR")
        yield
    finally:
        directory.close()


def _become_owner(data_dir: Path) -> None:
    """As root: what we write belongs to the server's user."""
    if not data_dir.is_dir():
        raise CommandFailed(f"there is no {data_dir} yet: start the server once (and look at --config, DATA_DIR)")
    found = data_dir.stat()
    if os.geteuid() == 0 and found.st_uid != 0:
        os.setgroups([])
        os.setegid(found.st_gid)
        os.seteuid(found.st_uid)


def _confirmed(question: str, *, to_stderr: bool) -> bool:
    stream = sys.stderr if to_stderr else sys.stdout
    print(question, end="", file=stream, flush=True)
    answer = sys.stdin.readline()
    if not sys.stdin.isatty():
        print(file=stream)
    return answer.strip().lower() in ("yes", "y")
