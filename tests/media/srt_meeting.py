"""How the SRT tools meet their peers: once, or again and again."""

from __future__ import annotations

import time
from collections.abc import Iterator

from tests.media.events import emit
from tests.media.libsrt import Srt, SrtError, SrtSocket
from tests.media.srt_url import SrtUrl

_LOOK_MS = 100
_CALL_LIMIT_MS = 10_000
_CALL_LIMIT_RECONNECTING_MS = 1000
_PAUSE_S = 0.1


def meet(srt: Srt, url: SrtUrl, *, reconnect: bool) -> Iterator[SrtSocket]:
    """Yield one connection after the other; without `reconnect` only one. Each is the caller's to close."""
    peers = _accept(srt, url) if url.mode == "listener" else _call(srt, url, reconnect=reconnect)
    for number, peer in enumerate(peers, start=1):
        emit("connected", number=number, latency_ms=peer.agreed_latency_ms())
        yield peer
        if not reconnect:
            return


def _accept(srt: Srt, url: SrtUrl) -> Iterator[SrtSocket]:
    with srt.listener(url) as listener:
        emit("listening", port=url.port)
        while True:
            peer = listener.accept(_LOOK_MS)
            if peer is not None:
                yield peer


def _call(srt: Srt, url: SrtUrl, *, reconnect: bool) -> Iterator[SrtSocket]:
    limit_ms = _CALL_LIMIT_RECONNECTING_MS if reconnect else _CALL_LIMIT_MS
    while True:
        try:
            peer = srt.call(url, limit_ms)
        except SrtError as error:
            emit("refused", reason=str(error))
            if not reconnect:
                return
        else:
            yield peer
        time.sleep(_PAUSE_S)
