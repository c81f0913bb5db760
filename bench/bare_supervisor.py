"""As little supervision as replaces a process that died: what the real server is compared with.

    python -m bench.bare_supervisor FOLDER COMMANDS.json

One event loop, one pidfd per child, one PID file per child, nothing else.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path


async def main() -> None:
    """Start everything and replace what ends, for ever."""
    folder, commands = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text())  # noqa: ASYNC240
    loop = asyncio.get_running_loop()

    def spawn(number: int) -> None:
        child = subprocess.Popen(
            commands[number],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            close_fds=False,
        )
        temp = folder / f".{number}.tmp"
        temp.write_text(f"{child.pid}\n0\n")
        temp.rename(folder / f"{number}.pid")
        pidfd = os.pidfd_open(child.pid)
        loop.add_reader(pidfd, gone, number, child, pidfd)

    def gone(number: int, child: subprocess.Popen[bytes], pidfd: int) -> None:
        loop.remove_reader(pidfd)
        os.waitid(os.P_PIDFD, pidfd, os.WEXITED)
        os.close(pidfd)
        child.returncode = 0
        spawn(number)

    for number in range(len(commands)):
        spawn(number)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
