"""SRT addresses of the test tools: `srt://host:port?mode=…&latency=…`."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit

_INTEGERS = {"latency": "latency_ms", "pbkeylen": "pbkeylen"}
_TEXTS = {"mode": "mode", "passphrase": "passphrase", "streamid": "stream_id"}


@dataclass(frozen=True)
class SrtUrl:
    """How a test tool meets its peer."""

    port: int
    mode: str = "caller"
    """`caller` or `listener`."""
    host: str = "127.0.0.1"
    latency_ms: int = 120
    passphrase: str = ""
    pbkeylen: int = 0
    """16, 24 or 32 bytes; 0 leaves it to the peer."""
    stream_id: str = ""

    def __post_init__(self) -> None:
        if self.mode not in ("caller", "listener"):
            raise ValueError(f"mode must be caller or listener, not {self.mode!r}")

    def __str__(self) -> str:
        query: dict[str, str | int] = {"mode": self.mode, "latency": self.latency_ms}
        if self.passphrase:
            query["passphrase"] = self.passphrase
        if self.pbkeylen:
            query["pbkeylen"] = self.pbkeylen
        if self.stream_id:
            query["streamid"] = self.stream_id
        return f"srt://{self.host}:{self.port}?{urlencode(query)}"

    @classmethod
    def parse(cls, text: str) -> SrtUrl:
        """Read what `str` writes; unknown parameters are refused."""
        parts = urlsplit(text)
        if parts.scheme != "srt" or not parts.hostname or not parts.port:
            raise ValueError(f"not an address of the form srt://host:port?mode=…: {text}")
        query = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True))
        if "mode" not in query:
            raise ValueError("mode= is missing")
        integers = {_INTEGERS[key]: int(query.pop(key)) for key in _INTEGERS if key in query}
        texts = {_TEXTS[key]: query.pop(key) for key in _TEXTS if key in query}
        if query:
            raise ValueError(f"unknown parameter {next(iter(query))!r}")
        return cls(port=parts.port, host=parts.hostname, **integers, **texts)  # type: ignore[arg-type]
