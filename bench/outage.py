"""Seconds of lost picture after each kind of crash: ours, and what a user would pick instead.

    python -m bench.outage [--quick] [--system NAME] [--deed NAME]

A real 6 Mb/s stream goes over SRT into a route with an SRT and a UDP destination; sender and SRT receiver call again
when they lose their peer. Then something is killed with SIGKILL: the server or supervisor (which is started again in
the same moment), each leg, everything at once. Each deed is done to a system that was started for it, in namespaces of
its own, several of them side by side. Exit status 1 when a goal is missed.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench import peers, plots
from bench.data_path_systems import PACKAGES
from bench.outage_systems import DEEDS, LEGS, S6_PACKAGES, SUPERVISOR, SYSTEMS, WHOLE, Adopt, ChainS6, Clean, Router
from bench.outage_take import AT_MOST_S, DARK_S, PICTURE_S, Seen, Take
from bench.results import Cell, Table, save, spread
from tests.media.generate import HD_6_MBPS, make

ROUNDS = {"nothing": 1, "watchers": 1, "unwatched": 2}
USUAL_ROUNDS = 3
QUICK = {(Adopt.name, "control"), (Clean.name, "source"), (ChainS6.name, "control"), (ChainS6.name, "source")}
LANES = 4
"""So many side by side: what is waited for are timeouts, not the processor."""
STREAM_S = 90
ADOPT_ONLY = ("nothing", "control", "unwatched")
"""What the two kinds of start of our server can differ in."""
TOLERANCE_S = 0.3
"""Of a comparison: whom the caller's next try finds is chance."""
TAKE_LIMIT_S = 150
DRAWN = {"control": "server or\nsupervisor", **{leg: leg for leg in LEGS}, "reboot": "reboot"}
"""Deeds that the picture shows, and what they are called there."""
Case = tuple[str, str]
"""System and deed."""
Takes = Mapping[Case, list[Take]]


def main() -> int:
    """Measure, write, and answer 1 where a goal was missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two crashes, once, of two systems; nothing is written")
    parser.add_argument("--system", choices=SYSTEMS, help="only this one; nothing is written")
    parser.add_argument("--deed", choices=DEEDS, help="only this one; nothing is written")
    parser.add_argument("--lanes", type=int, default=LANES)
    chosen = parser.parse_args()
    peers.pypi(SUPERVISOR)
    peers.debian(*S6_PACKAGES)
    peers.debian(*PACKAGES)
    stream = _stream()
    cases = wanted(chosen)
    with ThreadPoolExecutor(chosen.lanes) as pool:
        done = list(pool.map(lambda case: one(case, stream), cases))
    takes: dict[Case, list[Take]] = defaultdict(list)
    for case, take in zip(cases, done, strict=True):
        takes[case].append(take)
    tables = [summary(takes), *(table for deed in DEEDS if deed != WHOLE and (table := deed_table(deed, takes)))]
    for table in tables:
        print(table.title, *table.rows, sep="\n  ", file=sys.stderr)
    missed = goals(takes)
    for goal in missed:
        print(f"missed: {goal}", file=sys.stderr)
    if not (chosen.quick or chosen.system or chosen.deed):
        save("outage", tables, command="bench/run outage", plots=[draw(takes)], versions=versions())
    return 1 if missed else 0


def _stream() -> Path:
    """In the scratch folder: the namespaces have a /tmp of their own."""
    before, tempfile.tempdir = tempfile.tempdir, str(peers.SCRATCH)
    try:
        return make(HD_6_MBPS, STREAM_S)
    finally:
        tempfile.tempdir = before


def wanted(chosen: argparse.Namespace) -> list[Case]:
    """Every deed for every system that it fits, as often as it is to be done, in a random order."""
    cases: list[Case] = []
    for name, kind in SYSTEMS.items():
        for deed in DEEDS.values():
            asked = chosen.system in (None, name) and chosen.deed in (None, deed.name)
            if not asked or not deed.fits(kind) or (kind is Adopt and deed.name not in ADOPT_ONLY):
                continue
            quick = (name, deed.name) in QUICK
            if not chosen.quick:
                cases += [(name, deed.name)] * ROUNDS.get(deed.name, USUAL_ROUNDS)
            elif chosen.system or chosen.deed or quick:
                cases.append((name, deed.name))
    random.shuffle(cases)
    return cases


def one(case: Case, stream: Path) -> Take:
    """One deed, in namespaces of its own."""
    name, deed = case
    command = [sys.executable, "tests/harness/isolate.py", sys.executable, "-m", "bench.outage_take", name, deed]
    try:
        ran = subprocess.run(
            [*command, str(stream)], cwd=peers.ROOT, stdout=subprocess.PIPE, text=True, timeout=TAKE_LIMIT_S, check=True
        )
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError) as error:
        return Take(str(error), {}, 0, 0)
    found = json.loads(ran.stdout.splitlines()[-1])
    take = Take(**{**found, "seen": {end: Seen(**seen) for end, seen in found["seen"].items()}})
    print(f"{name}: {DEEDS[deed].what}: {take.cannot or _in_words(take)}", file=sys.stderr, flush=True)
    return take


def _in_words(take: Take) -> str:
    ends = [f"{end} {seen.dark_s:.2f} s, {seen.pictures_lost} pictures" for end, seen in take.seen.items()]
    return f"{'; '.join(ends)}; processes {take.processes_before} to {take.processes_after}; {remark([take])}"


def lost_s(takes: list[Take]) -> list[float]:
    """Of the destination that lost most, by take."""
    return [max(map(_lost_s, take.seen.values())) for take in takes if not take.cannot]


def _lost_s(seen: Seen) -> float:
    """Lost picture in seconds; where it did not come back, as long as it was waited for."""
    return seen.pictures_lost * PICTURE_S if seen.back and seen.pictures_lost >= 0 else seen.dark_s


def whole(takes: list[Take]) -> bool:
    """The picture came back, and is what it should be."""
    return not any(take.cannot or remark([take]) for take in takes)


def remark(takes: list[Take]) -> str:
    """What was left behind."""
    words = []
    for end in ("SRT", "UDP"):
        seen = [take.seen[end] for take in takes if end in take.seen]
        if any(not one.back for one in seen):
            words.append(f"{end} did not come back within {AT_MOST_S:.0f} s")
        worst = max((one.errors_per_s for one in seen if one.back), default=0)
        if worst:
            words.append(f"{end} stays broken: {worst:.0f} continuity errors a second")
    if any(take.processes_after > take.processes_before for take in takes):
        words.append("processes doubled")
    return ", ".join(words)


def of_deed(deed: str, takes: Takes) -> dict[str, list[Take]]:
    """Who has done it, by name; where all legs are one process, the death of any of them is the death of that one."""
    found = {}
    for name in SYSTEMS:
        done = takes.get((name, deed)) or (takes.get((name, WHOLE)) if deed in LEGS else None)
        if done:
            found[name] = done
    return found


def deed_table(deed: str, takes: Takes) -> Table | None:
    """One row for each system."""
    rows: list[list[Cell]] = []
    for name, all_takes in of_deed(deed, takes).items():
        good = [take for take in all_takes if not take.cannot]
        if not good:
            rows.append([name, f"cannot: {all_takes[0].cannot}"])
            continue
        row: list[Cell] = [name if WHOLE not in SYSTEMS[name].legs or deed not in LEGS else f"{name} ({WHOLE})"]
        for end in ("SRT", "UDP"):
            seen = [take.seen[end] for take in good]
            row += [spread([_lost_s(one) for one in seen], 2), spread([one.dark_s for one in seen], 2)]
        row += [_missing(good), f"{good[-1].processes_before} → {good[-1].processes_after}", remark(good)]
        failed = len(all_takes) - len(good)
        row[-1] = f"{row[-1]} {failed} of {len(all_takes)} could not be measured".strip() if failed else row[-1]
        rows.append(row)
    ends = [f"{end}: {what}, s" for end in ("SRT", "UDP") for what in ("lost picture", "no byte")]
    columns = ["system", *ends, "MB missing", "processes", ""]
    title = DEEDS[deed].what[0].upper() + DEEDS[deed].what[1:]
    return Table(title, columns, [_filled(row, len(columns)) for row in rows]) if rows else None


def _filled(row: list[Cell], length: int) -> list[Cell]:
    return [*row, *[""] * (length - len(row))]


def _missing(takes: list[Take]) -> str:
    """Of both destinations together."""
    numbers = [[seen.missing_bytes for seen in take.seen.values()] for take in takes]
    known = [sum(one) / 1e6 for each in numbers if len(one := [number for number in each if number is not None]) == 2]
    return spread(known, 2) if len(known) == len(takes) else "not the bytes sent"


def best_peer(deed: str, takes: Takes) -> tuple[str, float] | None:
    """Who of the others lost least, and whose picture is whole afterwards."""
    found = [
        (statistics.median(lost_s(done)), name)
        for name, done in of_deed(deed, takes).items()
        if not issubclass(SYSTEMS[name], Router) and whole(done)
    ]
    return (min(found)[1], min(found)[0]) if found else None


def summary(takes: Takes) -> Table:
    """Ours beside the best of the others."""
    rows: list[list[Cell]] = []
    for deed in DEEDS:
        peer = best_peer(deed, takes)
        for kind in (Clean, Adopt):
            done = takes.get((kind.name, deed))
            if not done or not lost_s(done):
                continue
            ours = statistics.median(lost_s(done))
            row: list[Cell] = [DEEDS[deed].what, kind.name, spread(lost_s(done), 2), remark(done)]
            row += [peer[0], f"{peer[1]:.2f}", _times(ours, peer[1])] if peer else ["none comes back whole", "", ""]
            rows.append(row)
    systems = "; ".join(f"{name}: {kind.how}" for name, kind in SYSTEMS.items())
    text = (
        "Pictures that did not arrive whole, 25 a second, at the destination that lost most; median (lowest to "
        "highest). A media process that is killed says no goodbye: its SRT peer needs libsrt's 5 s to find out, "
        f"whoever restarts it. No byte: pauses above {DARK_S} s. "
        "In the plot, who leaves a broken picture behind has no bar; `adopt` differs from the stock settings in the "
        "first group only. "
        f"Best peer: least lost among those whose picture came back whole and without doubled processes. {systems}."
    )
    columns = ["what", "ours", "lost, s", "", "best peer", "lost, s", "ours / peer"]
    return Table("Lost picture, ours and the best peer", columns, rows, text)


def _times(ours: float, theirs: float) -> str:
    return f"{ours / theirs:.2f}" if theirs else ("1" if not ours else "peer lost nothing")


def goals(takes: Takes) -> list[str]:
    """What was missed."""
    missed = []
    for (name, deed), done in takes.items():
        if not issubclass(SYSTEMS[name], Router):
            continue
        if not whole(done):
            missed.append(f"{name}, {deed}: {remark(done) or done[0].cannot}")
            continue
        if (deed == "nothing" or (name, deed) == (Adopt.name, "control")) and not _nothing_lost(done):
            missed.append(f"{name}, {deed}: something was lost")
        peer = best_peer(deed, takes)
        stays_by_choice = name == Clean.name and deed in ("control", "unwatched")  # what runs is ended, then started
        if peer and not stays_by_choice and statistics.median(lost_s(done)) > peer[1] + TOLERANCE_S:
            missed.append(f"{name}, {deed}: {peer[0]} lost less")
    return missed


def _nothing_lost(takes: list[Take]) -> bool:
    return not any(seen.pictures_lost or seen.missing_bytes != 0 for take in takes for seen in take.seen.values())


def draw(takes: Takes) -> str:
    """A group for each deed; who leaves a broken picture behind has no bar."""
    groups: dict[str, dict[str, float]] = {}
    for deed, words in DRAWN.items():
        for name, done in of_deed(deed, takes).items():
            if whole(done):
                groups.setdefault(words, {})[name] = round(statistics.median(lost_s(done)), 1)
    return plots.bars("outage", "Lost picture after a crash", "seconds", groups)


def versions() -> dict[str, str]:
    """Of the peers."""
    library = next(peers.debian(*S6_PACKAGES).glob("usr/lib/*/libs6.so.*.*.*.*"))
    gstreamer = peers.environment(peers.debian(*PACKAGES))
    return {
        "supervisord": SUPERVISOR.partition("==")[2],
        "s6": library.name.partition(".so.")[2],
        "GStreamer": _printed(["gst-launch-1.0", "--version"], gstreamer).split("\n")[0].split()[-1],
        "ffmpeg": _printed(["ffmpeg", "-version"], None).split()[2],
        "srt-live-transmit": _printed(["srt-live-transmit", "-version"], None).split("version: ")[-1].split(",")[0],
    }


def _printed(command: list[str], environment: dict[str, str] | None) -> str:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return done.stdout + done.stderr


if __name__ == "__main__":
    sys.exit(main())
