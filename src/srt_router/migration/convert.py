"""A foreign file becomes a document in the shape of routes.json: the way in for the command."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from srt_router.migration import feeds, live_transmit, mediamtx
from srt_router.migration.draft import document_of
from srt_router.migration.findings import Finding, Place, refusal
from srt_router.routes.merging import Json

FIRST_PORT = 10000
"""Where ports that the file does not name begin, unless told otherwise."""
MOST_BYTES = 4_000_000


class Origin(StrEnum):
    """What the file was written for."""

    MEDIAMTX = "mediamtx"
    CSV = "csv"
    SRT_LIVE_TRANSMIT = "srt-live-transmit"


@dataclass(frozen=True, slots=True)
class Migration:
    """What became of the file."""

    document: Json
    """What `srt-router routes import` takes, with passphrases in the clear; maybe without any route."""
    remarks: Sequence[Finding]
    """What could not be taken over, or counts for something else here."""


def migrated(
    data: bytes,
    origin: Origin,
    *,
    first_port: int = FIRST_PORT,
    taken_ports: Collection[int] = (),
    auto_start: bool = False,
) -> Migration:
    """Return what the file says as routes. Pure: nothing is opened or asked.

    `taken_ports` are given to no route. Raises FileRefused with line and field of everything that is wrong.
    """
    text = _text(data)
    match origin:
        case Origin.MEDIAMTX:
            read = mediamtx.read(text, first_port, taken_ports)
        case Origin.CSV:
            read = feeds.read(text)
        case Origin.SRT_LIVE_TRANSMIT:
            read = live_transmit.read(text)
    return Migration(document_of(read.drafts, auto_start=auto_start), tuple(read.remarks))


def _text(data: bytes) -> str:
    if len(data) > MOST_BYTES:
        raise refusal(Place(1), f"the file has more than {MOST_BYTES} bytes")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise refusal(Place(line), "is not UTF-8 text: save the file as UTF-8 (in Excel 'CSV UTF-8')") from None
