"""Everything that is claimed, measured:

    bench/run [NAME …] [-- OPTION …]

Without a name it runs all of them, one after the other (about half an hour on a machine that does nothing else), and
puts what they found into docs/measurements.md. It ends with status 1 when one of them missed a goal.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from bench import document

FIELD = {
    "supervision": "starting, replacing and stopping hundreds of processes, against supervisord, circus, PM2 and s6",
    "cleanup": "finding and ending orphans, against ps, pkill and cgroup.kill",
    "data_path": "what a delivered Mb/s costs and what is lost, against GStreamer, ffmpeg and srt-live-transmit",
    "control_plane": "API, WebSocket, event loop and memory with 10, 100 and 500 routes",
    "outage": "seconds of lost picture after each kind of crash, ours and the peers'",
    "soak": "thousands of connects, edits and restarts: what grows",
}
ALONE = {
    "lossless": "every byte at every destination",
    "scale": "four hundred processes, started and replaced",
    "recovery": "each leg killed",
    "stall": "a source that falls silent",
    "monitoring": "three hundred processes that report every second",
    "api": "five hundred routes asked for",
    "console": "five hundred routes in a browser",
    "duplicator": "datagrams copied",
    "stream_monitor": "transport streams looked through",
    "faults": "the server killed at random moments, files forged",
    "edits": "the server killed amid edits",
    "upgrade": "the server killed and replaced while streams flow",
    "any_request": "requests made at random",
}
_ROOT = Path(__file__).parents[1]
_BRINGS_NO_NAMESPACE = {"stream_monitor", "faults", "edits", "upgrade", "any_request"}


def main() -> int:
    """Run what was named, else what compares us with the field."""
    names = [*FIELD, *ALONE]
    lines = "\n".join(f"  {name:15} {what}" for name, what in (FIELD | ALONE).items())
    parser = argparse.ArgumentParser(
        prog="bench/run",
        description=(__doc__ or "").replace("    bench/run [NAME …] [-- OPTION …]\n\n", ""),
        epilog=f"names:\n{lines}\n\nWithout a name: {', '.join(FIELD)}.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME")
    own, options = sys.argv[1:], []
    if "--" in own:
        at = own.index("--")
        own, options = own[:at], own[at + 1 :]
    chosen = parser.parse_args(own).names
    if unknown := [name for name in chosen if name not in names]:
        parser.error(f"no bench is called {', '.join(unknown)}: there are {', '.join(names)}")
    missed = []
    for name in chosen or FIELD:
        print(f"--- {name}: {(FIELD | ALONE)[name]}", file=sys.stderr, flush=True)
        isolate = [sys.executable, "tests/harness/isolate.py"] if name in _BRINGS_NO_NAMESPACE else []
        command = [*isolate, sys.executable, "-m", f"bench.{name}", *options]
        if subprocess.run(command, cwd=_ROOT, check=False).returncode:
            missed.append(name)
    document.main()
    if missed:
        print(f"missed a goal, or failed: {', '.join(missed)}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
