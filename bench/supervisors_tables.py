"""What was found about supervisors, as tables and pictures, and what of it misses a goal."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Mapping

from bench.plots import bars
from bench.results import Cell, Table, percentile, save, spread
from bench.supervisors import Adopting, Bare, Ours, Supervisor
from bench.supervisors_measure import After, Figures

Found = Mapping[type[Supervisor], Figures]

NAME = "supervision"
START_RATIO = 1.5
"""Of the bare loop, at most."""
_ALIKE = 1.1
"""Who is slower by less is not behind: it is as much as two runs of the same differ."""
_NOTHING = "cannot"


def keep(found: Found, count: int, versions: dict[str, str]) -> None:
    """Write results and pictures."""
    timed = {kind: figures for kind, figures in found.items() if figures.replaced_ms and figures.start_s}
    bare = statistics.median(found[Bare].start_s) if found[Bare].start_s else None
    plots = []
    if bare:
        ratios = {kind.name: statistics.median(figures.start_s) / bare for kind, figures in timed.items()}
        title = f"Starting {count} processes, in times of a bare loop"
        plots.append(bars("supervision_start", title, "times of the bare loop", {"start": ratios}))
    groups = {
        f"p{percent}": {kind.name: percentile(figures.replaced_ms, percent) for kind, figures in timed.items()}
        for percent in (50, 99)
    }
    title = f"SIGKILL to the successor's first instruction, one of {count}"
    plots.append(bars("supervision_replaced", title, "milliseconds (logarithmic)", groups, log_y=True))
    save(NAME, tables(found, count), command="bench/run supervision", plots=plots, versions=versions)
    show(found, count)


def show(found: Found, count: int) -> None:
    """Print the tables."""
    for table in tables(found, count):
        print(f"\n{table.title}\n{' | '.join(table.columns)}", file=sys.stderr)
        for row in table.rows:
            print(" | ".join(str(cell) for cell in row), file=sys.stderr)


def tables(found: Found, count: int) -> list[Table]:
    """All of them."""
    return [_speed(found, count), _costs(found, count), _crashed(found, count), _twice(found, count), _set_up(found)]


def missed(found: Found) -> list[str]:
    """The goals of ours that were not reached: each a sentence."""
    lines = [
        f"{kind.name} failed: {failure}"
        for kind in (Ours, Adopting, Bare)
        if kind in found
        for failure in found[kind].failed
    ]
    ours, bare = found[Ours], found[Bare]
    if ours.start_s and bare.start_s:
        ratio = statistics.median(ours.start_s) / statistics.median(bare.start_s)
        if ratio > START_RATIO:
            lines.append(f"the start takes {ratio:.2f} times as long as the bare loop's; {START_RATIO} is wanted")
    for kind in found:
        if not issubclass(kind, Ours | Bare) and not kind.only_crashed:
            lines += _behind(ours, kind.name, found[kind])
    for kind in (Ours, Adopting):
        lines += _untidy(kind.name, found[kind])
    return lines


def _behind(ours: Figures, name: str, theirs: Figures) -> list[str]:
    """Where a peer is faster than ours."""
    pairs = {
        "starting": (_middle(ours.start_s), _middle(theirs.start_s)),
        "replacing (p50)": (_middle(ours.replaced_ms), _middle(theirs.replaced_ms)),
        "replacing (p99)": (_late(ours.replaced_ms), _late(theirs.replaced_ms)),
        "stopping": (_middle(ours.stop_s), _middle(theirs.stop_s)),
        "stopping with deaf ones": (_middle(ours.deaf_stop_s), _middle(theirs.deaf_stop_s)),
    }
    return [
        f"behind {name} in {what}: {mine:.3g} against {other:.3g}"
        for what, (mine, other) in pairs.items()
        if mine is not None and other is not None and mine > other * _ALIKE
    ]


def _untidy(name: str, figures: Figures) -> list[str]:
    """Where our server left something after a crash."""
    lines = []
    for after, what in ((figures.after, ""), (figures.after_without_ports, " without ports")):
        if after and (after.then.old or after.then.doubled or after.left):
            lines.append(f"{name} left something of {what or 'its processes'} after a crash: {after}")
    if figures.after and figures.after.then.whole_after_s is None:
        lines.append(f"{name} did not run everything again after a crash: {figures.after}")
    if figures.after and figures.after.replaced < figures.after.probed:
        lines.append(f"{name} does not replace what it took over: {figures.after}")
    return lines


def _speed(found: Found, count: int) -> Table:
    bare = _middle(found[Bare].start_s) if Bare in found else None
    rows: list[list[Cell]] = []
    for kind, figures in found.items():
        if kind.only_crashed:
            continue
        start = _middle(figures.start_s)
        rows.append(
            [
                kind.name,
                spread(figures.start_s, 2) if start else _NOTHING,
                f"{start / bare:.2f}" if start and bare else "-",
                spread(figures.replaced_ms) if figures.replaced_ms else _NOTHING,
                _late(figures.replaced_ms) or _NOTHING,
                len(figures.replaced_ms),
                spread(figures.stop_s, 2) if figures.stop_s else _NOTHING,
                spread(figures.deaf_stop_s, 2) if figures.deaf_stop_s else _NOTHING,
            ]
        )
    columns = ["system", "start, s", "times bare", "replaced p50, ms", "p99, ms", "kills", "stop, s", "half deaf, s"]
    text = (
        "Start: from the command, its interpreter included, until every process has bound its port. Replaced: from "
        "SIGKILL of one process, one after the other, until its successor runs the program. Stop: from the order until "
        "the last process is dead; half deaf: every second process (of a stand-in) ignores SIGTERM and is killed after "
        "3 s. The bare loop cannot stop: there, the bench signals all by itself."
    )
    return Table(f"{count} processes started, replaced, stopped", columns, rows, text)


def _costs(found: Found, count: int) -> Table:
    rows: list[list[Cell]] = [
        [kind.name, figures.processes, spread(figures.cpu_percent, 2), spread(figures.memory_mb)]
        for kind, figures in found.items()
        if figures.cpu_percent
    ]
    columns = ["system", "processes of its own", "CPU, % of a core", "memory, MB"]
    text = (
        "The supervisor alone, without what it runs, while nothing happens. Memory is proportional (PSS): what several "
        "processes share counts once. SRT Router in the same time reads statistics, connections and kernel drops."
    )
    return Table(f"{count} idle processes", columns, rows, text)


def _crashed(found: Found, count: int) -> Table:
    rows: list[list[Cell]] = []
    for kind, figures in found.items():
        after = figures.after
        if after is None and not figures.failed:
            continue  # only tried without ports
        rows.append([kind.name, *(_crash_row(after) if after else [_why(figures)] + [""] * 7)])
    columns = [
        "system",
        "survive",
        "kept",
        "orphans",
        "twice at most",
        "served",
        "all after, s",
        "replaced when killed",
        "left by stop",
    ]
    text = (
        f"SIGKILL of the supervisor of {count} processes, and its next start. Kept: processes of before that the new "
        "supervisor has under it. Orphans: those that live on and it does not know. Twice: commands that ran twice at "
        "one look (an SRT listener's second process ends at once, because the port is taken). Served: commands with a "
        "process that is under the new supervisor and stays. Then some processes of before are killed by hand: how "
        "many of them the new supervisor runs within 5 s (who retries for ever gets the port then). Left "
        "by stop: what lives 5 s after the order to stop all."
    )
    return Table("The supervisor killed and started again", columns, rows, text)


def _crash_row(after: After) -> list[Cell]:
    then = after.then
    return [
        after.survived,
        then.kept,
        then.old,
        then.doubled_at_most,
        then.served,
        f"{then.whole_after_s:.1f}" if then.whole_after_s is not None else "never seen",
        f"{after.replaced} of {after.probed}" if after.probed else "none was left",
        after.left if after.left is not None else _NOTHING,
    ]


def _twice(found: Found, count: int) -> Table:
    rows: list[list[Cell]] = []
    for kind, figures in found.items():
        after = figures.after_without_ports
        rows.append(
            [kind.name, after.survived, after.then.kept, after.then.old, after.then.doubled]
            if after
            else [kind.name, _why(figures), "", "", ""]
        )
    columns = ["system", "survive", "kept", "orphans", "run twice"]
    text = (
        f"The same with {count} processes that hold no port, like callers and UDP senders (a stand-in): nothing ends a "
        "second one, so what is not found runs twice, for as long as nobody sees it."
    )
    return Table("The supervisor killed and started again, processes without a port", columns, rows, text)


def _set_up(found: Found) -> Table:
    rows: list[list[Cell]] = [
        [
            kind.name,
            kind.set_up,
            "; ".join([kind.cannot, *(f"here: {failure}" for failure in figures.failed)]).strip("; "),
        ]
        for kind, figures in found.items()
    ]
    return Table("How each was set up, and what it cannot do", ["system", "set up", "cannot"], rows)


def _why(figures: Figures) -> str:
    return f"{_NOTHING}: {figures.failed[-1]}" if figures.failed else "not measured"


def _middle(values: list[float]) -> float | None:
    return statistics.median(values) if values else None


def _late(values: list[float]) -> float | None:
    return round(percentile(values, 99), 1) if values else None
