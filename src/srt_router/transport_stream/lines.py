"""What the stream monitor writes: one JSON object per line, read by supervision/stream_results.py."""

from __future__ import annotations

from srt_router.transport_stream.analyser import Report
from srt_router.transport_stream.probe import Probe
from srt_router.transport_stream.tables import Tables
from srt_router.transport_stream.thumbnails import Thumbnail

Line = dict[str, object]


def report_line(key: str, report: Report, *, since_ms: int, wall_ms_at_0: float) -> Line:
    """One bus as it was in the last second. `wall_ms_at_0` is the wall clock at monotonic 0."""

    def wall(at: float | None) -> int | None:
        return None if at is None else round(wall_ms_at_0 + at * 1000)

    return {
        "bus": key,
        "since": since_ms,
        "state": report.state,
        "format": report.format,
        "bitrate": report.bitrate,
        "nullRatio": None if report.null_ratio is None else round(report.null_ratio, 4),
        "packets": report.packets,
        "continuityErrors": report.continuity_errors,
        "transportErrors": report.transport_errors,
        "crcErrors": report.crc_errors,
        "tr101290": {kind: (one.total, wall(one.last_at), one.active) for kind, one in report.indicators.items()},
        "pids": [
            (one.pid, one.packets, one.bitrate, one.continuity_errors, one.scrambled, *(one.clock or (None, None)))
            for one in report.pids
        ],
        "pidsOmitted": report.pids_omitted,
    }


def tables_line(key: str, tables: Tables) -> Line:
    """What is on the stream, written when it changes."""
    services = []
    for number, map_pid in sorted(tables.map_pids.items()):
        program, service = tables.programs.get(number), tables.services.get(number)
        streams = sorted(program.streams.items()) if program else []
        services.append(
            {
                "number": number,
                "name": service.name if service else None,
                "provider": service.provider if service else None,
                "pmtPid": map_pid,
                "pcrPid": program.pcr_pid if program else None,
                "streams": [(pid, one.kind, one.codec, one.language) for pid, one in streams],
            }
        )
    return {"bus": key, "services": services, "transportStreamId": tables.transport_stream_id}


def probe_line(key: str, probe: Probe, at_ms: int) -> Line:
    """What ffprobe said."""
    return {"bus": key, "probe": {"at": at_ms, **probe}}


def thumbnail_line(key: str, thumbnail: Thumbnail) -> Line:
    """Where a picture of the stream is to be found, or why there is none."""
    return {"bus": key, "thumbnail": thumbnail}
