"""What is inside one transport stream, fed with what came and when. Knows no clock and no socket.

Times are monotonic seconds. Where nothing came for a while, or was not looked at, the stream's own time
stands still: silence is a state of its own, and what was not seen is nobody's error.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from srt_router.transport_stream.clocks import ClockReport, Clocks
from srt_router.transport_stream.essences import DATA
from srt_router.transport_stream.framing import PACKET_BYTES, Bytes, Framer, Packets, StreamFormat, Times
from srt_router.transport_stream.indicators import Deadline, Indicator, Kind
from srt_router.transport_stream.pids import NULL_PID, PidTable, Seen, has_pcr
from srt_router.transport_stream.sections import Assembler
from srt_router.transport_stream.tables import PAT_PID, PAT_TABLE, SDT_PID, Tables

TABLE_LIMIT_S = 0.5
"""TR 101 290: PAT and program maps come at least so often."""
PID_LIMIT_S = 5.0
"""TR 101 290 leaves it to the user: a subtitle may be silent, sound and picture may not."""
SILENCE_S = 0.5
"""Nothing at all for so long is silence: deadlines stand still until something comes."""
MOST_PIDS_TOLD = 200


class State(StrEnum):
    """How one stream is, in a word."""

    OK = "ok"
    ERRORS = "errors"
    """There is an error of the first priority of TR 101 290 now."""
    NO_SYNC = "noSync"
    """Something comes, and it is no transport stream."""
    SILENT = "silent"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class PidReport:
    """One PID."""

    pid: int
    packets: int
    """Since the start."""
    bitrate: int
    """Bits per second, since the last report."""
    continuity_errors: int
    scrambled: int
    """Scrambled packets since the start."""
    clock: ClockReport | None


class Told(NamedTuple):
    """One indicator as it is told."""

    total: int
    """Since the start."""
    last_at: float | None
    """When it was counted last."""
    active: bool
    """The error is there now, or was since the last report."""


@dataclass(frozen=True, slots=True)
class Report:
    """One stream, as it was since the last report; counters since the start."""

    state: State
    format: StreamFormat
    bitrate: int
    """Bits per second of transport stream packets."""
    null_ratio: float | None
    """Share of null packets since the last report; None without packets."""
    packets: int
    continuity_errors: int
    transport_errors: int
    crc_errors: int
    indicators: dict[Kind, Told]
    pids: list[PidReport]
    pids_omitted: int


class Analyser:
    """Follows one stream."""

    def __init__(self) -> None:
        self.framer = Framer()
        self.pids = PidTable()
        self.tables = Tables()
        self.indicators = {kind: Indicator() for kind in Kind}
        self._clocks = Clocks()
        self._assemblers: dict[int, Assembler] = {}
        self._came_at: float | None = None
        """When the last datagram came."""
        self._skipped_s = 0.0
        """Monotonic time minus the stream's own."""
        self._pause = False
        self._pat: Deadline | None = None
        self._maps: dict[int, Deadline] = {}
        self._essences: dict[int, Deadline] = {}
        self._known = (-1, -1, -1)
        self._is_table = np.zeros(1, bool)
        self._bytes = 0
        self._told_bytes = self._told_packets = self._told_nulls = 0
        self._told_of: NDArray[np.int64] = np.zeros(0, np.int64)

    # What came

    def feed(self, data: bytes | Bytes, at: float | Times, lengths: NDArray[np.int64] | None = None) -> list[Packets]:
        """Take datagrams that came one after the other; the answer is the packets that were found in them.

        `data` is all of them in a row, `lengths` those of each (without: it is one), `at` when each came.
        """
        stream = np.frombuffer(data, np.uint8) if isinstance(data, bytes) else data
        if lengths is None:
            lengths = np.array([len(stream)], np.int64)
        times = np.broadcast_to(np.asarray(at, np.float64), lengths.shape)
        found: list[Packets] = []
        if not len(stream):
            return found
        self._bytes += len(stream)
        for start, end in _without_silence(times):
            low, high = int(lengths[:start].sum()), int(lengths[:end].sum())
            found += self._feed(stream[low:high], self._own_time(times[start:end]), lengths[start:end])
        return found

    def gap(self) -> None:
        """Something was not seen from here on, and that is not the stream's fault."""
        self._pause = True
        self.framer.reset()
        self._lose()

    def _own_time(self, times: Times) -> Times:
        if self._came_at is not None:
            away = float(times[0]) - self._came_at
            if self._pause or away > SILENCE_S:
                self._skipped_s += away
                self._pause = False
        self._came_at = float(times[-1])
        return times - self._skipped_s

    def _lose(self) -> None:
        self.pids.forget_counters()
        self._clocks.lose()
        for assembler in self._assemblers.values():
            assembler.reset()

    def _feed(self, stream: Bytes, times: Times, lengths: NDArray[np.int64]) -> list[Packets]:
        losses, wrong = self.framer.sync_losses, self.framer.sync_byte_errors
        stretches = self.framer.cut(stream, lengths, times)
        now = float(times[-1])
        self._hit(Kind.SYNC_LOSS, now, self.framer.sync_losses - losses)
        self._hit(Kind.SYNC_BYTE_ERROR, now, self.framer.sync_byte_errors - wrong)
        for packets in stretches:
            if packets.after_loss:
                self._lose()
            self._take(packets)
        return stretches

    def _take(self, packets: Packets) -> None:
        if self._pat is None:
            self._pat = Deadline(float(packets.times[0]))
        seen = self.pids.update(packets)
        if len(seen.errors_at):
            self._hit(Kind.CONTINUITY_COUNT_ERROR, float(seen.errors_at.max()), len(seen.errors_at))
        with_clock = np.flatnonzero(has_pcr(packets.rows) & (seen.slots >= 0))
        if len(with_clock):
            self._clocks.take(packets.rows[with_clock], packets.times[with_clock])
        self._read_tables(packets, seen)

    def _hit(self, kind: Kind, at: float, times: int = 1) -> None:
        self.indicators[kind].hit(at + self._skipped_s, times)

    # Tables

    def _read_tables(self, packets: Packets, seen: Seen) -> None:
        candidates = seen.payload & ~seen.repeated
        start = 0
        while start < len(candidates):
            self._know(float(packets.times[start]))
            changes = self.tables.changes
            chosen = np.flatnonzero(self._is_table[seen.slots[start:]] & candidates[start:]) + start
            start = len(candidates)
            for number in chosen.tolist():
                at, broken = float(packets.times[number]), bool(seen.broken[number])
                pid = int(self.pids.pid[seen.slots[number]])
                self._read_table(pid, packets.rows[number].tobytes(), at, broken)
                if self.tables.changes != changes:  # from here on other PIDs may count
                    start = number + 1
                    break
        self._know(float(packets.times[-1]))

    def _know(self, now: float) -> None:
        """Follow what the tables say: on which PIDs to look for tables, what must come."""
        known = (self.tables.changes, self.pids.count, len(self.pids.pid))
        if known == self._known:
            return
        self._known = known
        wanted = self.tables.pids()
        self._is_table = np.zeros(len(self.pids.pid) + 1, bool)  # the last one is for those without a slot
        self._is_table[[slot for pid in wanted if (slot := self.pids.slot(pid)) >= 0]] = True
        self._assemblers = {pid: self._assemblers.get(pid) or Assembler() for pid in wanted}
        self._maps = {pid: self._maps.get(pid) or Deadline(now) for pid in set(self.tables.map_pids.values())}
        programs = self.tables.programs.values()
        needed = {pid for program in programs for pid, one in program.streams.items() if one.kind != DATA}
        self._essences = {pid: self._essences.get(pid) or Deadline(now) for pid in needed}

    def _read_table(self, pid: int, packet: bytes, at: float, broken: bool) -> None:
        kind = Kind.PAT_ERROR if pid == PAT_PID else Kind.PMT_ERROR
        if packet[3] & 0xC0:
            if pid != SDT_PID:
                self._hit(kind, at)
            return
        for section in self._assemblers[pid].feed(packet, broken=broken):
            table = self.tables.take(pid, section)
            if table is None or pid == SDT_PID:
                continue
            if pid == PAT_PID and table != PAT_TABLE:
                self._hit(kind, at)
                continue
            deadline = self._pat if pid == PAT_PID else self._maps.get(pid)
            if deadline is not None and deadline.came(at, TABLE_LIMIT_S):
                self._hit(kind, at)

    # What is told

    def report(self, observed_s: float) -> Report:
        """How the stream was while it was looked at since the last report, for `observed_s` seconds."""
        overdue = self._overdue()
        nulls = self.pids.packets_with(NULL_PID)
        came = self.pids.packets - self._told_packets
        silent = self._bytes == self._told_bytes
        indicators = {
            kind: Told(one.count, one.last_at, one.recent or overdue[kind]) for kind, one in self.indicators.items()
        }
        pids, omitted = self._pid_reports(observed_s)
        report = Report(
            state=self._state(silent=silent, errors=any(one.active for one in indicators.values())),
            format=self.framer.format,
            bitrate=_rate(came, observed_s),
            null_ratio=(nulls - self._told_nulls) / came if came else None,
            packets=self.pids.packets,
            continuity_errors=self.pids.continuity_errors,
            transport_errors=self.pids.transport_errors,
            crc_errors=self.tables.crc_errors,
            indicators=indicators,
            pids=pids,
            pids_omitted=omitted,
        )
        for one in self.indicators.values():
            one.recent = False
        self._told_bytes, self._told_packets, self._told_nulls = self._bytes, self.pids.packets, nulls
        return report

    def _state(self, *, silent: bool, errors: bool) -> State:
        if silent:
            return State.SILENT if self._bytes else State.UNKNOWN
        if not self.framer.locked:
            return State.NO_SYNC if self.framer.in_vain else State.UNKNOWN
        return State.ERRORS if errors else State.OK

    def _overdue(self) -> dict[Kind, bool]:
        """What does not come any more, counted once, as of the last datagram."""
        found = dict.fromkeys(Kind, False)
        if self._came_at is None:
            return found
        found[Kind.SYNC_LOSS] = self.framer.in_vain
        now = self._came_at - self._skipped_s
        if self._pat is None or not self.framer.locked:
            return found
        found[Kind.PAT_ERROR] = self._miss(Kind.PAT_ERROR, [self._pat], now, TABLE_LIMIT_S)
        found[Kind.PMT_ERROR] = self._miss(Kind.PMT_ERROR, self._maps.values(), now, TABLE_LIMIT_S)
        for pid, deadline in self._essences.items():
            slot = self.pids.slot(pid)
            if slot >= 0 and self.pids.seen_at[slot] > deadline.last:
                deadline.last, deadline.overdue = float(self.pids.seen_at[slot]), False
        found[Kind.PID_ERROR] = self._miss(Kind.PID_ERROR, self._essences.values(), now, PID_LIMIT_S)
        return found

    def _miss(self, kind: Kind, deadlines: Iterable[Deadline], now: float, limit_s: float) -> bool:
        each = list(deadlines)
        self._hit(kind, now, sum(one.missed(now, limit_s) for one in each))
        return any(one.overdue for one in each)

    def _pid_reports(self, observed_s: float) -> tuple[list[PidReport], int]:
        count, table = self.pids.count, self.pids
        told = np.zeros(count, np.int64)
        told[: len(self._told_of)] = self._told_of
        self._told_of = table.packets_of[:count].copy()
        came = self._told_of - told
        chosen = range(count)
        if count > MOST_PIDS_TOLD:
            chosen = np.sort(np.argsort(-self._told_of, kind="stable")[:MOST_PIDS_TOLD]).tolist()
        clocks = self._clocks.report()
        reports = [
            PidReport(
                pid=(pid := int(table.pid[slot])),
                packets=int(self._told_of[slot]),
                bitrate=_rate(int(came[slot]), observed_s),
                continuity_errors=int(table.errors_of[slot]),
                scrambled=int(table.scrambled_of[slot]),
                clock=clocks.get(pid),
            )
            for slot in chosen
        ]
        return sorted(reports, key=lambda one: one.pid), count - len(reports)


def _without_silence(times: Times) -> list[tuple[int, int]]:
    """Stretches of datagrams without a silence in between."""
    if len(times) < 2 or times[-1] - times[0] <= SILENCE_S:
        return [(0, len(times))]
    cuts = [0, *(np.flatnonzero(np.diff(times) > SILENCE_S) + 1).tolist(), len(times)]
    return list(itertools.pairwise(cuts))


def _rate(packets: int, seconds: float) -> int:
    return round(packets * PACKET_BYTES * 8 / seconds) if seconds > 0 else 0
