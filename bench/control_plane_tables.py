"""What `bench.control_plane` found, as tables and pictures; and its goals."""

from __future__ import annotations

import statistics
import subprocess
from collections.abc import Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING

from bench import plots
from bench.results import Cell, Table, percentile, save, spread

if TYPE_CHECKING:
    from bench.control_plane import Found

IDLE_MB, IDLE_PERCENT, IDLE_SWITCHES = 80.0, 0.5, 20.0
LIST_P99_MS, HELD_MS, TOLD_P99_MS, SHOWN_P99_MS = 30.0, 50.0, 100.0, 1000.0
PATHS = {
    "/api/routes": "every route",
    "/api/routes?limit=50": "50 routes",
    "/api/routes/route_1": "one route",
    "/api/events?limit=100": "100 events, from the database",
    "/api/health": "health",
}


def keep(found: Sequence[Found], *, printed_only: bool) -> list[str]:
    """Print it all, keep it unless it is to be `printed_only`, and say which goals were missed."""
    idle, *with_routes, real = found
    tables = [
        _growth([idle, *with_routes]),
        _api(with_routes),
        _fan_out(with_routes),
        _loop(with_routes),
        _news(with_routes, real),
    ]
    for table in tables:
        print(f"\n{table.title}\n{' | '.join(table.columns)}")
        for row in table.rows:
            print(" | ".join(str(cell) for cell in row))
    if not printed_only:
        pictures = _pictures([idle, *with_routes])
        save("control_plane", tables, command="bench/run control_plane", plots=pictures, versions=_versions())
    return _missed(idle, with_routes, real)


def _growth(found: Sequence[Found]) -> Table:
    rows: list[list[Cell]] = []
    for one in found:
        for name, loads in (("nobody", one.quiet), ("crowd", one.busy)):
            if loads:
                rows.append(
                    [
                        one.routes,
                        name,
                        spread([each.cpu_percent for each in loads], 2),
                        spread([each.switches_per_s for each in loads], 1),
                        spread([each.rss_mb for each in loads], 1),
                        loads[-1].threads,
                        loads[-1].descriptors,
                    ]
                )
    return Table(
        "What the server takes for itself",
        ["routes on air", "who looks", "% of one core", "wake-ups a second", "MB resident", "threads", "descriptors"],
        rows,
        "Each route has two processes that report once a second; without a route the server has stock settings. A "
        "crowd: 100 WebSocket clients, and 10 that ask for every route once a second. A wake-up is a voluntary context "
        "switch of any thread. Goal without a route: under 80 MB and 0.5 % of a core.",
    )


def _both(rounds: Sequence[Sequence[float]]) -> list[Cell]:
    return [spread([statistics.median(one) for one in rounds], 2), spread([percentile(one, 99) for one in rounds], 2)]


def _api(found: Sequence[Found]) -> Table:
    rows: list[list[Cell]] = []
    for one in found:
        bare = one.api["bare"]
        for path, what in PATHS.items():
            words = f"`GET {path}`: {what}" + (f", {one.list_kb:,.0f} kB" if path == "/api/routes" else "")
            ratio = _middle(one.api[path]) / _middle(bare) if path == "/api/routes" else ""
            rows.append([one.routes, words, *_both(one.api[path]), ratio])
        rows.append([one.routes, "a bare uvicorn with the bytes of every route", *_both(bare), 1.0])
        rows.append([one.routes, "`PATCH /api/routes/route_1`: on disk when answered", *_both(one.api["edit"]), ""])
    return Table(
        "How long an answer takes, ms",
        ["routes on air", "request", "median", "99th percentile", "to bare"],
        rows,
        "One client, one connection, while every process reports. Of three rounds: median (lowest to highest).",
    )


def _middle(rounds: Sequence[Sequence[float]]) -> float:
    return statistics.median(value for one in rounds for value in one)


def _fan_out(found: Sequence[Found]) -> Table:
    rows: list[list[Cell]] = []
    for one in found:
        for clients in sorted({number for _, number in one.fan_out}):
            row: list[Cell] = [one.routes, clients]
            for who in ("event", "route", "bare"):
                took = one.fan_out[who, clients]
                row += [spread(took, 1), round(percentile(took, 99), 1)]
            bare = statistics.median(one.fan_out["bare", clients])
            rows.append([*row, statistics.median(one.fan_out["event", clients]) / bare])
    return Table(
        "From the death of a process to every WebSocket client, ms",
        ["routes on air", "clients", "event", "99th", "route", "99th", "bare uvicorn", "99th", "event to bare"],
        rows,
        "SIGKILL until the message is there, at each of so many clients: `event` says what happened, `route` how the "
        "route is by now. The bare uvicorn waits for the same death and sends the bytes of one such message.",
    )


def _loop(found: Sequence[Found]) -> Table:
    rows: list[list[Cell]] = []
    for one in found:
        for when, who in (("quiet", "nobody"), ("busy", "crowd")):
            late, held = one.loop[f"{when} late"], one.loop[f"{when} held"]
            cells: list[Cell] = [round(percentile(late, at), 2) for at in (50, 99)]
            rows.append([one.routes, who, *cells, round(max(late), 1), round(percentile(held, 99), 2), max(held)])
    return Table(
        "The event loop, ms",
        ["routes on air", "who looks", "late, median", "99th", "most", "held, 99th", "held, most"],
        rows,
        "Looked at every 5 ms from inside. Late: something waited for its turn, also for a processor. Held: the "
        "server's own work in one go.",
    )


def _news(found: Sequence[Found], real: Found) -> Table:
    rows: list[list[Cell]] = []
    for name, one in [*((str(each.routes), each) for each in found), ("10, real srt-live-transmit", real)]:
        for deed in ("a process dies", "a caller comes"):
            cells: list[Cell] = [name, deed]
            for where in ("event", "route", "browser"):
                took = one.news.get(f"{deed}: {where}", [])
                cells.append(spread(took, 1) if took else "")
            rows.append([*cells, round(percentile(one.news[f"{deed}: browser"], 99), 1)])
    return Table(
        "From a fact to the screen, ms",
        ["routes on air", "fact", "WebSocket: event", "WebSocket: route", "the row on the wall shows it", "99th"],
        rows,
        "Chromium with the console's wall. A process dies: SIGKILL of a source on air. A caller comes: the line in the "
        "log of srt-live-transmit; with the real one, the end of the SRT handshake at the caller (the tool writes "
        "its line before or after).",
    )


def _pictures(found: Sequence[Found]) -> list[str]:
    def curve(pick: str, which: str) -> list[tuple[float, float]]:
        loads = {one.routes: getattr(one, which) for one in found}
        return [(n, statistics.median(getattr(one, pick) for one in some)) for n, some in loads.items() if some]

    series = {"nobody looks": "quiet", "a crowd looks": "busy"}
    return [
        plots.lines(
            f"control-plane-{stem}",
            title,
            "routes on air, two processes each",
            label,
            {name: curve(pick, which) for name, which in series.items()},
        )
        for stem, title, label, pick in (
            ("memory", "Memory of the server", "MB resident", "rss_mb"),
            ("processor", "Processor time of the server", "% of one core", "cpu_percent"),
            ("wake-ups", "Wake-ups of the server", "a second", "switches_per_s"),
        )
    ]


def _missed(idle: Found, found: Sequence[Found], real: Found) -> list[str]:
    def middle(pick: str) -> float:
        return float(statistics.median(getattr(one, pick) for one in idle.quiet))

    checks = [
        ("MB of the idle server", middle("rss_mb"), IDLE_MB),
        ("% of a core of the idle server", middle("cpu_percent"), IDLE_PERCENT),
        ("wake-ups a second of the idle server", middle("switches_per_s"), IDLE_SWITCHES),
    ]
    for one in found:
        every = [value for took in one.api["/api/routes"] for value in took]
        checks.append((f"ms for the list of {one.routes}, 99th", percentile(every, 99), LIST_P99_MS))
        checks.append(
            (f"ms held with {one.routes}", max(max(one.loop["quiet held"]), max(one.loop["busy held"])), HELD_MS)
        )
        for (who, clients), took in one.fan_out.items():
            if who == "route":
                name = f"ms until {clients} clients know of a change of one of {one.routes}, 99th"
                checks.append((name, percentile(took, 99), TOLD_P99_MS))
    for one in [*found, real]:
        shown = [value for key, took in one.news.items() if key.endswith("browser") for value in took]
        checks.append(
            (f"ms until the browser shows it, {one.routes} routes, 99th", percentile(shown, 99), SHOWN_P99_MS)
        )
    return [f"{name}: {value:.2f}, goal {goal:g}" for name, value, goal in checks if value > goal]


def _versions() -> dict[str, str]:
    browser = subprocess.run(["chromium", "--version"], capture_output=True, text=True, check=False).stdout.split()
    found = {name: version(name) for name in ("uvicorn", "fastapi", "websockets")}
    return found | {"Chromium": next((word for word in browser if word[0].isdigit()), "unknown")}
