"""Facts, tags and files for tests, with everything ordinary filled in."""

from __future__ import annotations

from dataclasses import replace

from srt_router.processes.ownership import Facts, Owner
from srt_router.processes.proc import SRT_LIVE_TRANSMIT
from srt_router.processes.tag import Tag

OURS = Tag(instance="0-our-uuid", data_dir="/var/lib/ours", route="route_1", process="srt", spec="s", nonce="n")
FOREIGN = replace(OURS, instance="1-their-uuid", data_dir="/var/lib/theirs")
NOW_MS = 1_761_210_663_315


def facts(owner: Owner = Owner.OURS, **changes: object) -> Facts:
    """A srt-live-transmit of that owner, started a minute before NOW_MS."""
    tags = {Owner.OURS: OURS, Owner.LIVE_ROUTER: FOREIGN, Owner.DEAD_ROUTER: FOREIGN}
    ordinary = Facts(
        pid=4711,
        program=SRT_LIVE_TRANSMIT,
        owner=owner,
        tag=tags.get(owner),
        started_ms=NOW_MS - 60_000,
        leads_group=True,
    )
    return replace(ordinary, **changes)  # type: ignore[arg-type]
