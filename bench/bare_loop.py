"""A loop of subprocess.Popen over given command lines and nothing else: what starting them costs at least.

python -m bench.bare_loop COMMANDS.json

It says so when it begins, and ends its children when its standard input ends.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def main() -> None:
    """Start everything, wait, and end everything."""
    commands = json.loads(Path(sys.argv[1]).read_text())
    print("Starting", flush=True)
    children = [
        subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        for argv in commands
    ]
    sys.stdin.read()
    for child in children:
        child.kill()
    for child in children:
        child.wait()


if __name__ == "__main__":
    main()
