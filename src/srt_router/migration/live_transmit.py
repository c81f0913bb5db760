"""Command lines of srt-live-transmit, as they stand in shell scripts, units and notes: one route for each source."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from srt_router.migration.draft import Draft, Read
from srt_router.migration.ends import end_of
from srt_router.migration.findings import FileRefused, Finding, Place, refusal
from srt_router.routes.errors import MOST_ERRORS

_PROGRAM = re.compile(r"(.*[/=@:+!-])?srt-live-transmit")
_ASSIGNMENT = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(\S.*?)\s*;?")
_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))")
_END = re.compile(r"[0-9&]*[<>].*|[;&|)}]+|done|fi|esac")
_SWITCHES = frozenset({"f", "fullstats", "q", "quiet", "v", "verbose", "h", "help", "version"})
"""Options without a value; of every other one the next word is the value."""
_ITS_OWN = frozenset({"a", "auto", "autoreconnect"})
"""The router reconnects by itself."""
_LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class _Command:
    line: int
    title: str | None
    """The comment above it."""
    words: list[str]
    """What follows the program's name."""


def read(text: str) -> Read:
    """Return the routes of the command lines. Raises FileRefused with line and part."""
    remarks: list[Finding] = []
    errors: list[Finding] = []
    drafts: dict[str, Draft] = {}
    for command in _commands(text, errors):
        try:
            _add(command, drafts, remarks)
        except FileRefused as refused:
            errors += refused.errors
        if len(errors) >= MOST_ERRORS:
            break
    if errors:
        raise FileRefused(errors)
    return Read(list(drafts.values()), remarks)


def _add(command: _Command, drafts: dict[str, Draft], remarks: list[Finding]) -> None:
    uris, options = _told_apart(command.words)
    place = Place(command.line)
    if len(uris) != 2:
        raise refusal(place, f"srt-live-transmit takes a source and a destination, here are {len(uris)}")
    for uri, what in zip(uris, ("source", "destination"), strict=True):
        if _VARIABLE.search(uri):
            raise refusal(place.under(what), "has a variable whose value is not in the file: write the value")
        scheme = uri.partition("://")[0].lower()
        if scheme in ("file", "rtp"):
            message = f"the command was left out: the router takes no {scheme}:// here"
            remarks.append(Finding(place.under(what), message))
            return
    told = "is not taken over: the router chooses the options of its processes"
    remarks += [Finding(place.under(option), told) for option in options]
    source = end_of(uris[0], place.under("source"), remarks, receiving=True)
    destination = end_of(uris[1], place.under("destination"), remarks, receiving=False)
    key = json.dumps(source, sort_keys=True)
    if key not in drafts:
        name = command.title or uris[0].partition("?")[0]
        drafts[key] = Draft(place, name[:_LONGEST_NAME], source, places={("source",): place.under("source")})
    draft = drafts[key]
    draft.places[("destinations", len(draft.destinations))] = place.under("destination")
    draft.destinations.append(destination)


def _told_apart(words: list[str]) -> tuple[list[str], list[str]]:
    """The URIs, and the options that are not taken over."""
    uris: list[str] = []
    options: list[str] = []
    value_of: str | None = None
    for word in words:
        if value_of is not None and "://" not in word:
            if value_of in _ITS_OWN and word.lower() in ("no", "off", "0", "false"):
                options.append(f"-{value_of}")
            value_of = None
            continue
        value_of = None
        if not re.match(r"-[A-Za-z]", word):
            uris.append(word)
            continue
        name, colon, value = word.lstrip("-").partition(":")
        name = re.sub(r"[^A-Za-z-]", "", name)[:40]
        if name not in _ITS_OWN or value.lower() in ("no", "off", "0", "false"):
            options.append(f"-{name}")
        if not colon and name not in _SWITCHES:
            value_of = name
    return uris, options


def _commands(text: str, errors: list[Finding]) -> Iterator[_Command]:
    variables: dict[str, str] = {}
    title: str | None = None
    for number, line in _joined(text):
        bare = line.strip()
        if bare.startswith(("#", ";")):
            title = None if bare.startswith("#!") else bare.lstrip("#; \t") or None
            continue
        if (assigned := _ASSIGNMENT.fullmatch(line)) and "://" not in assigned[2].partition(" ")[2]:
            variables[assigned[1]] = _filled_in(_unquoted(assigned[2]), variables)
            continue
        try:
            words = _words(line, variables) if "srt-live-transmit" in _filled_in(line, variables) else []
        except ValueError:
            errors.append(Finding(Place(number), "has a quote that is not closed"))
            continue
        for command in _cut(words):
            yield _Command(number, title, command)
        title = None if bare else title


def _words(line: str, variables: Mapping[str, str]) -> list[str]:
    """The words of a line, with variables filled in. Raises ValueError for a quote that is not closed."""
    found: list[str] = []
    for word in shlex.split(line):
        filled = _filled_in(word, variables)
        found += filled.split() if _VARIABLE.fullmatch(word) else [filled]
    return found


def _joined(text: str) -> Iterator[tuple[int, str]]:
    """Lines, each with its number; those that a backslash continues as one."""
    begun, first = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        first = first if begun else number
        if line.endswith("\\") and not line.lstrip().startswith("#"):
            begun += line[:-1] + " "
            continue
        yield first, begun + line
        begun = ""
    if begun:
        yield first, begun


def _cut(words: list[str]) -> Iterator[list[str]]:
    """What follows each srt-live-transmit, up to where its command ends."""
    found: list[str] | None = None
    for word in words:
        if _PROGRAM.fullmatch(word):
            if found is not None:
                yield found
            found = []
        elif found is not None:
            bare = word.rstrip(";&")
            if bare and not _END.fullmatch(word):
                found.append(bare)
            if bare != word or _END.fullmatch(word):
                yield found
                found = None
    if found is not None:
        yield found


def _unquoted(text: str) -> str:
    try:
        return " ".join(shlex.split(text))
    except ValueError:
        return text


def _filled_in(text: str, variables: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda match: variables.get(match[1] or match[2], match[0]), text)
