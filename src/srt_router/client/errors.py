"""What can go wrong: the server says no, or says nothing."""

from __future__ import annotations

from dataclasses import dataclass

from srt_router.errors import SrtRouterError


@dataclass(frozen=True, slots=True)
class WrongField:
    """One field that is wrong, and why."""

    field: str
    """Such as `source.port`."""
    message: str

    def __str__(self) -> str:
        """`source.port: is required`."""
        return f"{self.field}: {self.message}"


class ApiProblem(SrtRouterError):  # noqa: N818 - as RFC 9457 calls it
    """The server refuses (RFC 9457): nothing was changed, unless the detail says so."""

    def __init__(self, status: int, code: str, detail: str, fields: tuple[WrongField, ...] = ()) -> None:
        super().__init__("; ".join(map(str, fields)) or detail)
        self.status = status
        """HTTP status."""
        self.code = code
        """What happened, stable: made for programs."""
        self.detail = detail
        """What happened and what to do next, for people."""
        self.fields = fields
        """Each wrong field of a request that is not valid."""
        self.retry_after_s: float | None = None
        """When to try again, where the server says so."""


class NoAnswer(SrtRouterError):  # noqa: N818 - said as it is
    """No SRT Router answers there, or not any more: whether a change was made is not known."""

    code = "noAnswer"
