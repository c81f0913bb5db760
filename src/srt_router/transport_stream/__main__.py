"""The stream monitor: watches the transport stream on every bus that FILE names.

Run as ``python3 -I __main__.py --config FILE`` (or ``python -m srt_router.transport_stream --config FILE``),
with stdout and stderr appended to files. ``FILE`` is ``{"server": PID, "buses": [["239.255.1.2", 20001], …]}``,
replaced by a rename. Once a second JSON lines on stdout, see ``lines.py``. It never sends anything, and ends
when its parent is not the server any more.

Exit codes: 0 SIGTERM or the server is gone, 1 wrong usage.
"""

import os
import sys

if __name__ == "__main__":
    for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ[variable] = "1"  # no thread per core for what never multiplies a matrix
    if __package__ in (None, ""):
        # Isolated mode knows only the standard library and what is installed: our own package comes after it.
        sys.path.append(__file__.rsplit("/", 3)[0])
        sys.path[:] = [path for path in sys.path if path != __file__.rsplit("/", 1)[0]]
    from srt_router.transport_stream.process import main

    sys.exit(main(sys.argv[1:]))
