"""Where each value of a JSON text stands, and which keys stand twice: what `json` does not tell."""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from dataclasses import dataclass, field

from srt_router.routes.errors import Location

_SPACE = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder()
_SCALAR = re.compile(r"[^\s,\]}]+")


@dataclass(frozen=True, slots=True)
class Positions:
    """The lines of a JSON text."""

    lines: dict[Location, int]
    """Line (from 1) of each value; of a member of an object the line of its key."""
    duplicates: tuple[Location, ...]
    """Keys that stand more than once in one object."""

    def line(self, location: Location) -> int | None:
        """Return the line of a value, or of the nearest thing around it that is in the text."""
        for length in range(len(location), -1, -1):
            if location[:length] in self.lines:
                return self.lines[location[:length]]
        return None


def positions(text: str) -> Positions:
    """Find the lines in a text that `json.loads` has accepted; raises RecursionError as that does."""
    scanner = _Scanner(text, [match.start() for match in re.finditer("\n", text)])
    scanner.value(0, ())
    return Positions(scanner.lines, tuple(scanner.duplicates))


@dataclass(slots=True)
class _Scanner:
    text: str
    newlines: list[int]
    lines: dict[Location, int] = field(default_factory=dict)
    duplicates: list[Location] = field(default_factory=list)

    def _skip(self, index: int) -> int:
        match = _SPACE.match(self.text, index)
        return match.end() if match else index

    def _line(self, index: int) -> int:
        return bisect_left(self.newlines, index) + 1

    def _string(self, index: int) -> tuple[str, int]:
        string, behind = _DECODER.raw_decode(self.text, index)
        return str(string), behind

    def value(self, index: int, location: Location) -> int:
        """Scan one value; returns the index behind it."""
        index = self._skip(index)
        self.lines.setdefault(location, self._line(index))
        first = self.text[index]
        if first == "{":
            return self._object(index + 1, location)
        if first == "[":
            return self._array(index + 1, location)
        if first == '"':
            return self._string(index)[1]
        match = _SCALAR.match(self.text, index)
        return match.end() if match else index + 1

    def _object(self, index: int, location: Location) -> int:
        seen: set[str] = set()
        index = self._skip(index)
        while self.text[index] != "}":
            key, behind = self._string(index)
            member = (*location, key)
            if key in seen:
                self.duplicates.append(member)
            seen.add(key)
            self.lines[member] = self._line(index)
            index = self.value(self._skip(behind) + 1, member)
            index = self._behind_comma(index)
        return index + 1

    def _array(self, index: int, location: Location) -> int:
        index = self._skip(index)
        count = 0
        while self.text[index] != "]":
            index = self._behind_comma(self.value(index, (*location, count)))
            count += 1
        return index + 1

    def _behind_comma(self, index: int) -> int:
        index = self._skip(index)
        return self._skip(index + 1) if self.text[index] == "," else index
