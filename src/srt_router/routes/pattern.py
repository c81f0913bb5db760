"""The test source: a picture with a clock and a line-up tone, called into a route's own listener."""

from __future__ import annotations

from srt_router.processes.spec import Leg, Peer, ProcessSpec
from srt_router.routes.addresses import bracketed
from srt_router.routes.model import Route, SrtSource
from srt_router.routes.srt_options import passphrase_of
from srt_router.routes.uri import LOOPBACK

FRAMES_PER_S = 25
_WAVE = "0.125*sin(2000*PI*t)"
_TONE = f"aevalsrc={_WAVE}|{_WAVE}:channel_layout=stereo:sample_rate=48000"
"""1 kHz at -18 dBFS, the alignment level of EBU R 68: an eighth of full scale, on both channels."""


def test_pattern(route: Route, source: SrtSource, *, clock: bool) -> ProcessSpec:
    """Return the ffmpeg process that sends 1.5 Mb/s of 640x360p25 with tone into the route.

    `clock` off leaves out the text, which needs a font on the machine; the pattern itself shows its
    running time without one.
    """
    address = f"srt://{_reachable(source)}:{source.port}"
    return ProcessSpec(
        route_id=route.id,
        process_type="testSource",
        argv=(
            "ffmpeg",
            *_INPUT,
            *_picture(route.name, clock),
            *_CODECS,
            *_metadata(route),
            *_srt(source),
            address,
        ),
        legs=(Leg("testSource"),),
        peer=Peer.CALLER,
    )


_INPUT = ("-nostdin", "-hide_banner", "-loglevel", "warning", "-re", "-f", "lavfi", "-i")
# fmt: off
_CODECS = (
    "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-pix_fmt", "yuv420p",
    "-g", str(FRAMES_PER_S), "-b:v", "1300k", "-maxrate", "1300k", "-bufsize", "650k",
    "-c:a", "aac", "-b:a", "96k",
    "-f", "mpegts", "-muxrate", "1600k", "-pat_period", "0.1",
)
# fmt: on


def _picture(name: str, clock: bool) -> tuple[str, ...]:
    picture = f"testsrc2=size=640x360:rate={FRAMES_PER_S}"
    if clock:
        box = "fontcolor=white:box=1:boxcolor=black@0.7:boxborderw=8:x=(w-tw)/2"
        picture += f",drawtext=text='%{{localtime}}':fontsize=36:y=h*0.72:{box}"
        if drawable := _drawable(name):
            picture += f",drawtext=text='{drawable}':expansion=none:fontsize=28:y=h*0.12:{box}"
    return (picture, "-re", "-f", "lavfi", "-i", _TONE)


def _drawable(name: str) -> str:
    """Return a name without any character that means something to ffmpeg's filter syntax."""
    kept = "".join(letter if letter.isalnum() or letter in " -_/.()+#" else " " for letter in name)
    return " ".join(kept.split())[:40]


def _metadata(route: Route) -> tuple[str, ...]:
    name = _drawable(route.name) or route.id
    return ("-metadata", "service_provider=SRT Router", "-metadata", f"service_name={name}")


def _srt(source: SrtSource) -> tuple[str, ...]:
    """Return the connection's options as options: in the address ffmpeg would turn '+' into a space."""
    microseconds = str(source.latency * 1000)
    options = ("-mode", "caller", "-transtype", "live", "-latency", microseconds, "-pkt_size", "1316")
    passphrase = passphrase_of(source)
    if passphrase is None:
        return options
    length = ("-pbkeylen", str(source.pbkeylen)) if source.pbkeylen else ()
    return (*options, "-passphrase", passphrase, *length)


def _reachable(source: SrtSource) -> str:
    if source.adapter in (None, "0.0.0.0"):  # noqa: S104
        return LOOPBACK
    return "[::1]" if source.adapter == "::" else bracketed(source.adapter or LOOPBACK)
