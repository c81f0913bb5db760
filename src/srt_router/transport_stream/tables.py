"""What is on the stream: PAT, PMT and SDT, read from whole sections."""

from __future__ import annotations

from dataclasses import dataclass, field

from srt_router.transport_stream.essences import Essence, descriptors, essence
from srt_router.transport_stream.sections import checksum_fits
from srt_router.transport_stream.text import decode

PAT_PID, SDT_PID = 0x0000, 0x0011
PAT_TABLE, PMT_TABLE, SDT_TABLE = 0x00, 0x02, 0x42
_SERVICE = 0x48
_MOST_PROGRAMS = 512
_MOST_STREAMS = 256
_FIRST_PID = 0x0010
_KNOWN_SECTIONS = 1024


@dataclass(frozen=True, slots=True)
class Program:
    """One program map."""

    number: int
    version: int
    pcr_pid: int | None
    streams: dict[int, Essence]
    """By PID."""


@dataclass(frozen=True, slots=True)
class Service:
    """What the SDT calls a program."""

    name: str
    provider: str


@dataclass(slots=True)
class Tables:
    """The tables of one stream."""

    crc_errors: int = 0
    changes: int = 0
    """Counts every change of what is below."""
    transport_stream_id: int | None = None
    map_pids: dict[int, int] = field(default_factory=dict)
    """PID of the program map by program number, as the PAT says."""
    programs: dict[int, Program] = field(default_factory=dict)
    """By program number."""
    services: dict[int, Service] = field(default_factory=dict)
    """By program number (service id)."""
    _pat: dict[int, dict[int, int]] = field(default_factory=dict)
    """What each section of the PAT says."""
    _pat_version: int = -1
    _good: dict[tuple[int, bytes], bytes] = field(default_factory=dict)
    """The last sound section of each PID and header: tables repeat themselves."""

    def pids(self) -> set[int]:
        """The PIDs on which sections are looked for."""
        return {PAT_PID, SDT_PID, *self.map_pids.values()}

    def take(self, pid: int, section: bytes) -> int | None:
        """Read one section. The answer is its table id; None for one that is damaged or of no interest."""
        table = section[0]
        wanted = SDT_TABLE if pid == SDT_PID else PAT_TABLE if pid == PAT_PID else PMT_TABLE
        if table != wanted:
            return table if pid == PAT_PID else None  # on PID 0 nothing else may stand
        if len(section) < 12 or not section[1] & 0x80:
            return None
        key = (pid, section[3:5] + section[6:7])
        if self._good.get(key) == section:
            return table
        if not checksum_fits(section):
            self.crc_errors += 1
            return None
        if len(self._good) >= _KNOWN_SECTIONS:
            self._good.clear()
        self._good[key] = section
        if section[5] & 0x01:  # it applies now
            {PAT_TABLE: self._read_pat, PMT_TABLE: self._read_pmt, SDT_TABLE: self._read_sdt}[table](section)
        return table

    def _read_pat(self, section: bytes) -> None:
        version = section[5] >> 1 & 0x1F
        if version != self._pat_version or len(self._pat) > section[7] + 1:
            self._pat.clear()
        self._pat_version = version
        entries = {}
        for at in range(8, len(section) - 7, 4):
            number = section[at] << 8 | section[at + 1]
            pid = (section[at + 2] & 0x1F) << 8 | section[at + 3]
            if number and pid >= _FIRST_PID:
                entries[number] = pid
        self._pat[section[6]] = entries
        found = [one for part in self._pat.values() for one in part.items()]
        map_pids = dict(found[:_MOST_PROGRAMS])
        stream_id = section[3] << 8 | section[4]
        if (map_pids, stream_id) != (self.map_pids, self.transport_stream_id):
            self.map_pids, self.transport_stream_id = map_pids, stream_id
            self.programs = {number: one for number, one in self.programs.items() if number in map_pids}
            self._good.clear()  # a program that comes back has the same map as before
            self.changes += 1

    def _read_pmt(self, section: bytes) -> None:
        number = section[3] << 8 | section[4]
        if number not in self.map_pids or len(section) < 16:
            return
        pcr_pid = (section[8] & 0x1F) << 8 | section[9]
        at = 12 + ((section[10] & 0x0F) << 8 | section[11])
        end = len(section) - 4
        streams: dict[int, Essence] = {}
        while at + 5 <= end and len(streams) < _MOST_STREAMS:
            pid = (section[at + 1] & 0x1F) << 8 | section[at + 2]
            length = (section[at + 3] & 0x0F) << 8 | section[at + 4]
            streams[pid] = essence(section[at], section[at + 5 : min(at + 5 + length, end)])
            at += 5 + length
        program = Program(number, section[5] >> 1 & 0x1F, None if pcr_pid == 0x1FFF else pcr_pid, streams)
        if self.programs.get(number) != program:
            self.programs[number] = program
            self.changes += 1

    def _read_sdt(self, section: bytes) -> None:
        at, end = 11, len(section) - 4
        services = dict(self.services)
        while at + 5 <= end:
            number = section[at] << 8 | section[at + 1]
            length = (section[at + 3] & 0x0F) << 8 | section[at + 4]
            service = _service(section[at + 5 : min(at + 5 + length, end)])
            if service is not None and (number in services or len(services) < _MOST_PROGRAMS):
                services[number] = service
            at += 5 + length
        if services != self.services:
            self.services = services
            self.changes += 1


def _service(info: bytes) -> Service | None:
    for tag, content in descriptors(info):
        if tag == _SERVICE and len(content) >= 3:
            provider = content[2 : 2 + content[1]]
            rest = content[2 + content[1] :]
            name = rest[1 : 1 + rest[0]] if rest else b""
            return Service(decode(name), decode(provider))
    return None
