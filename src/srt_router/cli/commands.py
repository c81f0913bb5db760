"""Every command of `srt-router`, and its options."""

from __future__ import annotations

from typing import Annotated

import typer

from srt_router.cli.backup import backup
from srt_router.cli.cleanup import cleanup
from srt_router.cli.config import config as config_commands
from srt_router.cli.doctor import doctor
from srt_router.cli.latency import latency
from srt_router.cli.migrate import import_
from srt_router.cli.presets import presets
from srt_router.cli.ps import ps
from srt_router.cli.routes import routes
from srt_router.cli.serving import demo, serve
from srt_router.cli.support import completion, support_bundle
from srt_router.cli.tokens import tokens
from srt_router.cli.upgrade import apply_restarts, upgrade, upgrade_stop
from srt_router.cli.users import users
from srt_router.version import version_line

app = typer.Typer(
    name="srt-router",
    help="Routes live SRT feeds.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

app.command("cleanup")(cleanup)
app.command("ps")(ps)
app.command("doctor")(doctor)
app.command("upgrade")(upgrade)
app.command("upgrade-stop")(upgrade_stop)
routes.command("apply")(apply_restarts)
app.command("latency")(latency)
app.command("import")(import_)
app.command("support-bundle")(support_bundle)
app.command("completion")(completion)
app.add_typer(routes)
app.add_typer(presets)
app.add_typer(users)
app.add_typer(tokens)
app.add_typer(backup)
app.add_typer(config_commands)
app.command("serve")(serve)
app.command("demo")(demo)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(version_line())
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    """Routes live SRT feeds: one source, N destinations, never an orphan."""
