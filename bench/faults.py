"""A thousand crashes of a server with twenty routes: what may go wrong does, and is set right at the next start.

    python3 tests/harness/isolate.py .venv/bin/python bench/faults.py --rounds 1000 --routes 20 [--seed N] [--first N]

Prints the seed first and a line of JSON at the end. `--first N --rounds 1` replays round N of a seed alone.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.harness.isolate import is_isolated
from tests.process.bystanders import crowd
from tests.process.fault_engine import FaultEngine


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--routes", type=int, default=20)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))  # noqa: S311
    parser.add_argument("--first", type=int, default=0, help="number of the first round")
    parser.add_argument("--adopt", action="store_true", help="with ON_START=adopt")
    wanted = parser.parse_args()
    if not is_isolated():
        sys.exit("this kills processes: run it through tests/harness/isolate.py")
    print(f"seed {wanted.seed}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    seconds, did = [], Counter[str]()
    with crowd(folder / "crowd") as people:
        engine = FaultEngine(folder / "s", people, wanted.routes, wanted.seed, adopt=wanted.adopt)
        try:
            for number in range(wanted.first, wanted.first + wanted.rounds):
                done = engine.round(number)
                seconds.append(done.seconds)
                did.update(done.did)
                if number % 50 == 49:
                    print(f"round {number + 1}: all well", flush=True)
        finally:
            engine.close()
    result = {
        "rounds": len(seconds),
        "routes": wanted.routes,
        "processes": len(engine.demanded),
        "serverKills": engine.server_kills,
        "exceptions": 0,
        "medianRoundS": round(statistics.median(seconds), 2),
        "longestRoundS": round(max(seconds), 2),
        "seed": wanted.seed,
        "did": dict(did.most_common()),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
