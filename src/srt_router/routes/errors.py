"""What can be wrong with routes, said so that a person finds the line and the field."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

Location = tuple[str | int, ...]
"""Where a value stands: JSON field names and list positions, outermost first."""

MOST_ERRORS = 100
"""So many are told at once: a document of megabytes may hold a million, and telling them holds the server up."""


def field_path(location: Location) -> str:
    """Write a location as people do: `routes[0].destinations[1].port`."""
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            path += f".{part}" if path else part
    return path


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing that is wrong. It never holds the value itself, which may be a passphrase."""

    location: Location
    """JSON names; empty: the whole document."""
    message: str
    """A sentence without its subject, which is the field: `must be between 1 and 65535`."""
    line: int | None = None
    """Line in the file, counted from 1; None: not from a file."""

    @property
    def field(self) -> str:
        """The location as a path, such as `destinations[1].port`."""
        return field_path(self.location)

    def under(self, *prefix: str | int) -> FieldError:
        """Return the same error seen from further outside."""
        return FieldError((*prefix, *self.location), self.message, self.line)

    def __str__(self) -> str:
        where = f"line {self.line}" if self.line is not None else ""
        where = ", ".join(part for part in (where, self.field) if part)
        return f"{where}: {self.message}" if where else self.message


class RouteInvalid(ValueError):  # noqa: N818 - said as it is
    """A route that must not be accepted. `errors` says why, field by field."""

    def __init__(self, errors: Iterable[FieldError]) -> None:
        self.errors = tuple(errors)
        super().__init__("\n".join(map(str, self.errors)))


class RoutesFileInvalid(ValueError):  # noqa: N818 - said as it is
    """The routes file does not parse or validate. Nothing was changed: not the file, not what runs."""

    def __init__(self, path: Path, errors: Iterable[FieldError]) -> None:
        self.path = path
        self.errors = tuple(errors)
        super().__init__("\n".join(self._line(error) for error in self.errors))

    def _line(self, error: FieldError) -> str:
        between = " " if error.line is not None else ", " if error.location else ": "
        return f"{self.path.name}{between}{error}"


class RoutesFileChanged(ValueError):  # noqa: N818 - said as it is
    """The routes file was changed by somebody else since it was read; it was not overwritten."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(
            f"{path.name} was changed by somebody else since it was read, and was not overwritten: "
            "wait until the change is taken over, then try again"
        )
