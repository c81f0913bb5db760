"""What is said of a foreign file: what is wrong with it, and what of it cannot be taken over."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands in the file."""

    line: int
    """Counted from 1."""
    field: str = ""
    """The column, the key or the part that is meant; empty: the whole line."""

    def under(self, field: str) -> Place:
        """A part of what stands here."""
        return Place(self.line, ".".join(part for part in (self.field, field) if part))

    def __str__(self) -> str:
        return f"line {self.line}, {self.field}" if self.field else f"line {self.line}"


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence about one place. It never holds a value, which may be a passphrase."""

    place: Place
    message: str

    def to_json(self) -> dict[str, object]:
        """`line`, `field` (null: the whole line) and `message`."""
        return {"line": self.place.line, "field": self.place.field or None, "message": self.message}

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


class FileRefused(ValueError):  # noqa: N818 - said as it is
    """A foreign file that is not taken over, not even in part. `errors` says why, each with its place."""

    def __init__(self, errors: Iterable[Finding]) -> None:
        self.errors = tuple(errors)
        super().__init__("\n".join(map(str, self.errors)))


def refusal(place: Place, message: str) -> FileRefused:
    """A refusal for one reason."""
    return FileRefused([Finding(place, message)])
