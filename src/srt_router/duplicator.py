"""The udpDuplicator process: one UDP input, N UDP outputs, datagrams unchanged and in order.

Run as ``python3 -I -S duplicator.py --input udp://HOST:PORT[?interface=…&source=…&rcvbuf=…]
[--bus GROUP:PORT] [--config FILE]``, with stdout and stderr appended to files. The standard library
alone, and little of it, so that it starts at once; the parts are in ``duplication``, because a script is
compiled at each start and a module is not.

``FILE`` is ``{"destinations": [{"host", "port", "ttl", "tos", "interface"}, …]}``, replaced by a rename.
A destination named twice is sent once; one that stays keeps its socket and misses nothing. A file that
cannot be read changes nothing, and stderr says why, once.

Once a second a JSON line on stdout: ``time`` (ms since the epoch), ``config`` (first 16 hex digits of the
SHA-256 of the file in force, null without one), ``input`` and ``outputs`` (the bus first). Counters are
cumulative: the input's since the start, an output's since its host and port were added. ``drops`` are
the datagrams that the kernel threw away before we read them; ``rcvbuf`` is the size in the terms in which
it is asked for (the kernel doubles it). An output's ``error`` is the last one while it lost datagrams.
After a line cut short by a full disk, the next one starts with a line feed.

Exit codes, as srt-live-transmit has them: 0 SIGTERM or SIGINT, 1 wrong usage, 255 cannot bind.
"""

import sys

if __name__ == "__main__":
    # Isolated mode knows only the standard library: our own package comes after it, never before.
    sys.path.append(__file__.rsplit("/", 2)[0])
    from srt_router.duplication.process import main

    sys.exit(main(sys.argv[1:]))
