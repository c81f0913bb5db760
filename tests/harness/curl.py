"""As much of curl as our guides use, for machines that have none: -s, -X, -H, -d, -D -, -o."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import httpx


def main() -> None:
    """Do one request."""
    parser = argparse.ArgumentParser(prog="curl", allow_abbrev=False)
    parser.add_argument("-s", action="store_true")
    parser.add_argument("-X", default="")
    parser.add_argument("-H", action="append", default=[])
    parser.add_argument("-d")
    parser.add_argument("-D")
    parser.add_argument("-o")
    parser.add_argument("url")
    wanted = parser.parse_args()
    data = Path(wanted.d[1:]).read_text() if wanted.d and wanted.d.startswith("@") else wanted.d
    headers = [(name, value.strip()) for name, _, value in (one.partition(":") for one in wanted.H)]
    answer = httpx.request(
        wanted.X or ("POST" if data else "GET"), wanted.url, headers=headers, content=data, timeout=60
    )
    if wanted.D == "-":
        lines = [f"HTTP/1.1 {answer.status_code}", *(f"{name}: {value}" for name, value in answer.headers.items()), ""]
        sys.stdout.write("".join(f"{line}\r\n" for line in lines))
    if wanted.o != "/dev/null":
        sys.stdout.write(answer.text)


if __name__ == "__main__":
    main()
