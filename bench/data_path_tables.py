"""What the data path bench found, as tables and pictures."""

from __future__ import annotations

from collections.abc import Callable

from bench import plots
from bench.data_path_run import Found
from bench.data_path_systems import LATENCY_MS, SYSTEMS, VARIANTS, ByHand, Router
from bench.results import Cell, Table, percentile, spread

FULL_PERCENT = 90
"""A machine so busy measures itself."""


def summary(found: Found) -> str:
    """One run in one line."""
    if found.cannot:
        return f"cannot: {found.cannot}"
    return (
        f"{found.delivered_mbps:.0f} Mb/s delivered, {spread(found.cost, 2)} % of a core per Mb/s "
        f"({found.memory_mb:.0f} MB), {found.pictures_lost} of {found.pictures} pictures lost, added "
        f"{percentile(found.added_ms, 50):.1f} ms, p99 {percentile(found.added_ms, 99):.1f}; "
        f"machine {found.busy_percent:.0f} %"
    )


def carrying(found: list[Found]) -> Table:
    """Processor and memory."""
    rows: list[list[Cell]] = []
    for one in found:
        same = {each.system: each for each in found if (each.mbps, each.destinations) == (one.mbps, one.destinations)}
        bare = same[ByHand.name]
        best = min(
            (each.median_cost for each in same.values() if each.system != Router.name and each.cost), default=0.0
        )
        if one.cannot:
            rows.append([one.mbps, one.destinations, one.system, f"cannot: {_brief(one.cannot)}", *("",) * 5])
            continue
        rows.append(
            [
                one.mbps,
                one.destinations,
                one.system,
                spread(one.cost, 3),
                f"{one.median_cost / best:.2f}" if best else "",
                f"{one.median_cost / bare.median_cost:.2f}" if bare.cost else "",
                round(one.delivered_mbps),
                round(one.memory_mb),
                f"{one.busy_percent:.0f} %{' (full)' if one.busy_percent > FULL_PERCENT else ''}",
            ]
        )
    how = "\n".join(f"- {kind.name}: {kind.how}." for kind in (*SYSTEMS, *VARIANTS))
    return Table(
        "What a delivered Mb/s costs",
        ["Mb/s", "to", "system", "% of a core per Mb/s", "to best peer", "to by hand", "Mb/s out", "MB", "machine"],
        rows,
        "One SRT source to so many SRT destinations, all processes of each system, by second, once the stream has run "
        "for five: median (lowest to highest), and its ratio to the peer that takes least and to the bare tools. "
        "All use the same libsrt. "
        "Memory is what the processes hold, shared pages divided among them. "
        f"“Machine” is everything that ran, senders and receivers of the bench included.\n\n{how}",
    )


def losing(found: list[Found], variants: list[Found]) -> Table:
    """Loss under bursts, and latency."""
    rows: list[list[Cell]] = []
    for one in (*found, *variants):
        if one.cannot:
            rows.append([one.mbps, one.destinations, one.system, f"cannot: {_brief(one.cannot)}", *("",) * 4])
            continue
        rows.append(
            [
                one.mbps,
                one.destinations,
                one.system,
                f"{one.pictures_lost} of {one.pictures}",
                "written anew" if one.missing_bytes is None else one.missing_bytes,
                one.continuity_errors,
                f"{percentile(one.added_ms, 50):.1f}",
                f"{percentile(one.added_ms, 99):.1f}",
            ]
        )
    return Table(
        "What is lost under bursts, and how late it comes",
        ["Mb/s", "to", "system", "pictures lost", "bytes missing", "continuity errors", "added ms, p50", "p99"],
        rows,
        "Every frame leaves at once, a key frame (up to a megabyte) every two seconds. A picture counts as lost when "
        "it did not arrive whole, at all destinations together, from the first that arrived. Added: from the last byte "
        f"sent of a picture to the last byte received, without the {LATENCY_MS} ms of each of the two SRT legs; the "
        "wait for a processor of the bench's own receivers is in it for all alike.",
    )


def profile(found: list[Found]) -> Table:
    """Where our processor time goes."""
    rows: list[list[Cell]] = []
    for one in found:
        if one.system != Router.name or one.cannot:
            continue
        bare = next(each for each in found if each.system == ByHand.name and (each.mbps, each.destinations) == _at(one))
        carry = percentile(one.carrying, 50) * one.delivered_mbps
        every = one.median_cost * one.delivered_mbps
        by_hand = bare.median_cost * bare.delivered_mbps if bare.cost else 0.0
        rows.append([one.mbps, one.destinations, *(f"{each:.1f} %" for each in (every, carry, every - carry, by_hand))])
    return Table(
        "Where our processor time goes",
        ["Mb/s", "to", "all", "srt-live-transmit", "server and stream monitor", "by hand, all"],
        rows,
        "Of one core. The server and the stream monitor are there once, for all routes of a machine; how much the "
        "monitor takes goes with the rate. GStreamer and ffmpeg hand a datagram from source to destinations within one "
        "process. Ours goes over a multicast group, which costs a system call on its way out and another at each "
        "destination: the price of destinations that are started, stopped and killed one by one without touching the "
        "others. Compared with the same tools by hand, ours also write statistics, once every hundred datagrams.",
    )


def _at(one: Found) -> tuple[int, int]:
    return one.mbps, one.destinations


def drawn(found: list[Found]) -> list[str]:
    """Cost over the rate and over the number of destinations."""
    return [
        plots.lines(
            "data-path-cost-by-rate",
            "One SRT source to four SRT destinations",
            "Mb/s of the stream",
            "% of a core per delivered Mb/s",
            _curves(found, lambda one: one.mbps if one.destinations == 4 else None),
        ),
        plots.lines(
            "data-path-cost-by-destinations",
            "One SRT source at 6 Mb/s",
            "destinations",
            "% of a core per delivered Mb/s",
            _curves(found, lambda one: one.destinations if one.mbps == 6 else None),
        ),
    ]


def _curves(found: list[Found], where: Callable[[Found], int | None]) -> dict[str, list[tuple[float, float]]]:
    curves: dict[str, list[tuple[float, float]]] = {}
    for one in found:
        at = where(one)
        if at is not None and not one.cannot:
            curves.setdefault(one.system, []).append((at, one.median_cost))
    return curves


def as_text(table: Table) -> str:
    """For a terminal."""
    rows: list[list[Cell]] = [[*table.columns], *table.rows]
    lines = [table.title, *(" | ".join(str(cell) for cell in row) for row in rows)]
    return "\n".join([*lines, ""])


def _brief(reason: str) -> str:
    return " ".join(reason.split())[:160]
