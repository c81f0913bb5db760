"""`kill -9` of the server amid edits, again and again: is every acknowledged change there afterwards?

    python3 tests/harness/isolate.py .venv/bin/python bench/edits.py --rounds 500 --clients 8 [--seed N]

Prints the seed first and a line of JSON at the end; any loss ends it with an error that names it.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.harness.isolate import is_isolated
from tests.harness.server import Server
from tests.process.edit_storm import Storm


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=500)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))  # noqa: S311
    wanted = parser.parse_args()
    if not is_isolated():
        sys.exit("this kills processes: run it through tests/harness/isolate.py")
    print(f"seed {wanted.seed}", flush=True)
    began = time.monotonic()
    with Server(Path(tempfile.mkdtemp(prefix="edits-")) / "server") as server:
        storm = Storm(server, wanted.clients, wanted.seed)
        for number in range(1, wanted.rounds + 1):
            storm.round()
            storm.restarted()
            if number % 50 == 0:
                print(f"round {number}: {storm.answered} edits, all there", flush=True)
        result = {
            "rounds": wanted.rounds,
            "clients": wanted.clients,
            "acknowledgedEdits": storm.answered,
            "lost": 0,
            "seconds": round(time.monotonic() - began, 1),
            "seed": wanted.seed,
        }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
