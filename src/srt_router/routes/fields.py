"""Types of single fields: whole numbers in a range, and text that survives the trip to the tools."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field, GetCoreSchemaHandler, SecretStr, ValidationError
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, core_schema

from srt_router.routes.addresses import refuse, text

MASK = "**********"
"""What is shown in place of a passphrase; refused as one, so that a mask sent back does not become it."""

_DESTINATION_ID = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")

Problem = tuple[str, str]
"""(JSON name of a field, message)."""


def raise_problems(model: BaseModel, problems: Collection[Problem]) -> None:
    """Raise all problems of a model at once, each at its own field."""
    if problems:
        details = [
            InitErrorDetails(type=PydanticCustomError("route", "{message}", {"message": m}), loc=(f,), input=None)
            for f, m in problems
        ]
        raise ValidationError.from_exception_data(type(model).__name__, details, hide_input=True)


INT32 = 2**31 - 1
"""The largest value of libsrt's int32 options."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number from `low` to `high`; text, true and 1.0 are refused, not converted."""

    low: int
    high: int
    unit: str = ""

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        number = core_schema.int_schema(ge=self.low, le=self.high, strict=True)
        return core_schema.no_info_before_validator_function(self._check, number)

    def _check(self, value: object) -> object:
        if isinstance(value, bool) or not isinstance(value, int):
            kinds = {bool: ", not true or false", str: ", not text: write it without quotes"}
            refuse("must be a whole number" + kinds.get(type(value), ""))
        if not self.low <= value <= self.high:
            unit = f" {self.unit}" if self.unit else ""
            refuse(f"must be between {self.low} and {self.high}{unit}")
        return value


def _unprintable(value: str) -> str | None:
    """Name the first character that does not belong into a line of text."""
    for character in value:
        if unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}:
            return f"a control character (U+{ord(character):04X})"
    return None


def _label(value: object) -> str:
    label = text(value)
    if found := _unprintable(label):
        refuse(f"must not contain {found}")
    if not label.strip():
        refuse("must not be empty")
    if len(label) > 100:
        refuse("must have at most 100 characters")
    return label


def _line(value: object) -> str:
    line = text(value)
    if found := _unprintable(line):
        refuse(f"must not contain {found}")
    if len(line) > 200:
        refuse("must have at most 200 characters")
    return line


def _note(value: object) -> str:
    note = text(value)
    if found := _unprintable(note.replace("\n", "").replace("\t", "")):
        refuse(f"must not contain {found}")
    if len(note) > 2000:
        refuse("must have at most 2000 characters")
    return note


def _destination_id(value: object) -> str:
    name = text(value)
    if not _DESTINATION_ID.fullmatch(name):
        refuse("must be a letter and up to 39 letters, digits, '_' and '-'")
    return name


def uncarriable(value: str) -> str | None:
    """Describe the first character that a URI of srt-live-transmit cannot carry, None where all can be.

    Up to 1.5.3 it takes the values of a query as they are and splits at every `&`; from 1.5.4 on it
    decodes `%XX` to single bytes. So what works with all of them is printable ASCII but `&`.
    """
    names = {"&": "an ampersand ('&')", " ": "a space"}
    for character in value:
        if character in names:
            return names[character]
        if ord(character) < 0x20 or ord(character) == 0x7F:
            return f"a control character (U+{ord(character):04X})"
        if ord(character) > 0x7F:
            return "a character outside ASCII"
    return None


def _passphrase(value: object) -> SecretStr:
    secret = value.get_secret_value() if isinstance(value, SecretStr) else text(value)
    if found := uncarriable(secret):
        refuse(f"must not contain {found}: srt-live-transmit cannot carry it")
    if not 10 <= len(secret) <= 79:
        refuse("must have 10 to 79 characters")
    if secret == MASK:
        refuse("is the mask that is shown in place of a passphrase; give the passphrase itself")
    return SecretStr(secret)


def _stream_id(value: object) -> str:
    stream_id = text(value)
    if found := uncarriable(stream_id):
        refuse(f"must not contain {found}: srt-live-transmit cannot carry it")
    if not 1 <= len(stream_id) <= 512:
        refuse("must have 1 to 512 characters")
    return stream_id


def _list(value: object) -> tuple[object, ...]:
    if not isinstance(value, list | tuple):
        refuse("must be a list")
    return tuple(value)


Label = Annotated[str, BeforeValidator(_label), Field(min_length=1, max_length=100)]
"""A name for people: 1 to 100 characters, no control characters."""
Line = Annotated[str, BeforeValidator(_line), Field(max_length=200)]
"""Text for people in one line: up to 200 characters."""
Passphrase = Annotated[SecretStr, BeforeValidator(_passphrase), Field(min_length=10, max_length=79)]
"""A passphrase: 10 to 79 characters (HaiCrypt's limits); `repr` never shows it."""
Note = Annotated[str, BeforeValidator(_note), Field(max_length=2000)]
"""Text for people, of several lines: up to 2000 characters."""
DestinationId = Annotated[str, BeforeValidator(_destination_id), Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,39}$")]
"""What a destination is called by programs, unique in its route. Never a number, which would be a position."""
StreamId = Annotated[str, BeforeValidator(_stream_id), Field(max_length=512)]
"""An SRT stream id: at most 512 characters (SRTO_STREAMID)."""
Port = Annotated[int, Whole(1, 65535)]
"""A UDP port."""
ListOf = BeforeValidator(_list)
"""Makes a JSON list a tuple, so that a frozen model holds nothing that changes."""
