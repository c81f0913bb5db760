"""Thousands of requests to every operation of the API by every role: what is wrong, and how many were asked.

python tests/harness/isolate.py python -m bench.any_request --examples 200 --seed 1
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.harness.any_request import House, planted, run
from tests.harness.server import Server


def main() -> int:
    """Ask, and say what was found. 1: something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=200, help="good, and bad, cases for each operation")
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder), planted()) as server:
        house = House(server)
        began = time.monotonic()
        run(house, wanted.examples, wanted.seed)
        took_s = time.monotonic() - began
        failed = "Traceback" in server.log()
    asked, operations = house.asked.total(), len({label for label, _, _ in house.asked})
    print(f"{asked} requests to {operations} operations in {took_s:.0f} s, seed {wanted.seed}")
    for status, count in sorted(_by_status(house).items()):
        print(f"  {status}: {count}")
    for key, words in house.wrong.items():
        print(f"WRONG: {' '.join(key)}\n{words}\n")
    if failed:
        print("WRONG: the server's log holds a traceback")
    return 1 if house.wrong or failed else 0


def _by_status(house: House) -> Counter[int]:
    found: Counter[int] = Counter()
    for (_, _, status), count in house.asked.items():
        found[status] += count
    return found


if __name__ == "__main__":
    sys.exit(main())
