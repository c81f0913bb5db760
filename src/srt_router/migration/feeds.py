"""A table of feeds (CSV, comma or semicolon): a header, then one route in each row."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping

from srt_router.migration.draft import Draft, Read
from srt_router.migration.ends import end_of
from srt_router.migration.findings import FileRefused, Finding, Place, refusal
from srt_router.routes.errors import MOST_ERRORS
from srt_router.routes.merging import Json

_PLAIN = ("name", "source", "passphrase", "latency", "tags", "description")
_DESTINATIONS = re.compile(r"destinations?(\(s\))?|destination[ _-]?[0-9]{1,3}")
_SEPARATORS = re.compile(r"[|\s]+")


def read(text: str) -> Read:
    """Return the routes of a table. Raises FileRefused with line and column."""
    rows = _rows(text)
    line, header = next(rows, (1, []))
    remarks: list[Finding] = []
    columns = _columns(line, header, remarks)
    drafts: list[Draft] = []
    errors: list[Finding] = []
    for line, cells in rows:
        try:
            drafts.append(_draft(line, _cells(line, cells, columns), remarks))
        except FileRefused as refused:
            errors += refused.errors
        if len(errors) >= MOST_ERRORS:
            break
    if errors:
        raise FileRefused(errors)
    return Read(drafts, remarks)


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Rows that say something, each with the line where it begins."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = ";" if first.count(";") > first.count(",") else ","
    reader = csv.reader(text.splitlines(keepends=True), delimiter=delimiter, strict=True, skipinitialspace=True)
    line = 1
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                yield line, [cell.strip() for cell in row]
            line = reader.line_num + 1
    except csv.Error:
        raise refusal(Place(line), "is not CSV: look at the quotes of this row") from None


def _columns(line: int, header: list[str], remarks: list[Finding]) -> list[str | None]:
    """The name of each column; None: it is not taken over."""
    columns: list[str | None] = []
    for title in header:
        name = " ".join(title.lower().split())
        if name in _PLAIN or _DESTINATIONS.fullmatch(name):
            if name in columns:
                raise refusal(Place(line, name), "there are two columns of this name")
            columns.append(name)
            continue
        columns.append(None)
        if name:
            remarks.append(Finding(Place(line, name[:40]), "is not taken over: the router has no such column"))
    for needed in ("name", "source"):
        if needed not in columns:
            raise refusal(Place(line, needed), "the header has no such column; it needs name and source at least")
    return columns


def _cells(line: int, cells: list[str], columns: list[str | None]) -> dict[str, str]:
    """What a row says, by column. Raises FileRefused for a cell that no column has."""
    if any(cells[len(columns) :]):
        raise refusal(Place(line), f"has more cells than the header has columns ({len(columns)})")
    return {name: cell for name, cell in zip(columns, cells, strict=False) if name is not None and cell}


def _draft(line: int, cells: Mapping[str, str], remarks: list[Finding]) -> Draft:
    if "source" not in cells:
        raise refusal(Place(line, "source"), "is required")
    place = Place(line, "source")
    source = end_of(cells["source"], place, remarks, receiving=True)
    draft = Draft(Place(line), cells.get("name", ""), source, description=cells.get("description"))
    draft.places[("source",)] = place
    for column in filter(_DESTINATIONS.fullmatch, cells):
        for uri in filter(None, _SEPARATORS.split(cells[column])):
            draft.places[("destinations", len(draft.destinations))] = Place(line, column)
            draft.destinations.append(end_of(uri, Place(line, column), remarks, receiving=False))
    draft.tags = [tag.strip() for tag in re.split(r"[|,;]", cells.get("tags", "")) if tag.strip()]
    _for_srt_ends(draft, line, cells, remarks)
    return draft


def _for_srt_ends(draft: Draft, line: int, cells: Mapping[str, str], remarks: list[Finding]) -> None:
    """Passphrase and latency of the row count for every SRT end whose URI names none."""
    ends: list[tuple[tuple[str | int, ...], Json]] = [(("source",), draft.source)]
    ends += [(("destinations", number), end) for number, end in enumerate(draft.destinations)]
    srt = [(where, end) for where, end in ends if end["type"] == "srt"]
    for column in ("passphrase", "latency"):
        if column not in cells:
            continue
        if not srt and column == "passphrase":
            raise refusal(Place(line, column), "this row has no SRT end: UDP is not encrypted")
        if not srt:
            remarks.append(Finding(Place(line, column), "is not taken over: this row has no SRT end"))
        for where, end in srt:
            if column not in end:
                end[column] = cells[column] if column == "passphrase" else _whole(line, column, cells[column])
                draft.places[(*where, column)] = Place(line, column)


def _whole(line: int, column: str, text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise refusal(Place(line, column), "must be a whole number of milliseconds")
    return int(text)
