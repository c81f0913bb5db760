"""`python -m srt_router`."""

from srt_router.cli.app import main

main()
