"""What a transcode makes of a route's stream: the contract of `transcode` in routes.json and of the API.

Everything that ffmpeg would refuse, or take and do something else, is refused here, before it is on air.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from srt_router.routes.addresses import refuse, text
from srt_router.routes.fields import ListOf, Problem, Whole, raise_problems
from srt_router.routes.srt_options import Model

NTSC_RATES = {23.976: "24000/1001", 29.97: "30000/1001", 59.94: "60000/1001"}
"""The frame rates that are no whole numbers, as people write them and as they are."""
MAX_MATRIX = 64

SoftwarePreset = Literal[
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow"
]  # fmt: skip
"""Speed against quality at the same bit rate, in the words of x264 and x265."""

_PROFILES = {"h264": ("baseline", "main", "high"), "hevc": ("main",)}
_CHANNELS = {"aac": (1, 2, 4, 5, 6, 8), "mp2": (1, 2), "opus": (1, 2, 5, 6, 8)}
_SAMPLE_RATES = {
    "aac": (16000, 22050, 24000, 32000, 44100, 48000, 96000),
    "mp2": (16000, 22050, 24000, 32000, 44100, 48000),
    "opus": (48000,),
}
_MP2_KBPS = (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384)
_MP2_LOW_KBPS = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
"""Bit rates of MPEG-1 and, below 32 kHz, of MPEG-2 layer II."""
_PER_CHANNEL_KBPS = {"aac": 256, "opus": 256}
"""The most that one channel may take: the encoders' own limits at 48 kHz, rounded down."""


def _frame_rate(value: object) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        refuse("must be a number, such as 25 or 29.97")
    if value in NTSC_RATES:
        return value
    if not math.isfinite(value) or value != int(value) or not 1 <= value <= 120:
        refuse(f"must be a whole number from 1 to 120, or {', '.join(map(str, NTSC_RATES))}")
    return int(value)


def _gain(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not -60 <= value <= 20:
        refuse("must be a number between -60 and 20 dB")
    return float(value)


def _service(value: object) -> str:
    name = text(value)
    if not 1 <= len(name) <= 64 or not name.isascii() or not name.isprintable() or not name.strip():
        refuse("must have 1 to 64 characters of printable ASCII")
    return name


class VideoEncode(Model):
    """How the picture is encoded anew: progressive, 8 bits, 4:2:0."""

    codec: Literal["h264", "hevc"]
    encoder: Literal["auto", "software", "nvenc", "vaapi", "qsv"] = "auto"
    """Who encodes. `auto`: hardware where it was seen to work on this machine, software otherwise."""
    preset: SoftwarePreset = "veryfast"
    """Speed against quality; hardware has fewer steps, and takes the nearest."""
    bitrate_kbps: Annotated[int, Whole(50, 200_000, "kb/s")]
    """Average bit rate of the picture."""
    maxrate_kbps: Annotated[int, Whole(50, 400_000, "kb/s")] | None = None
    """Most that the picture may take for as long as the buffer lasts; none: `bitrateKbps`."""
    bufsize_kbit: Annotated[int, Whole(10, 800_000, "kbit")] | None = None
    """Size of the decoder's buffer that the encoder reckons with; none: one second of `maxrateKbps`."""
    gop_frames: Annotated[int, Whole(1, 1000, "frames")] = 50
    """From one key frame to the next, always: none in between, no open GOP."""
    b_frames: Annotated[int, Whole(0, 8)] | None = None
    """B frames in a row at most; none: the encoder decides."""
    profile: Literal["baseline", "main", "high"] | None = None
    """None: the encoder's best."""
    width: Annotated[int, Whole(64, 8192, "pixels")] | None = None
    """None: as it comes, or by `height` with the proportions kept."""
    height: Annotated[int, Whole(64, 8192, "pixels")] | None = None
    """None: as it comes, or by `width` with the proportions kept."""
    frame_rate: Annotated[int | float, BeforeValidator(_frame_rate)] | None = None
    """Frames per second, by dropping or repeating frames; none: as it comes."""
    deinterlace: Literal["frame", "field"] | None = None
    """`frame`: 25 interlaced frames become 25, `field`: they become 50. Progressive pictures pass as they are."""

    @model_validator(mode="after")
    def _check(self) -> VideoEncode:
        raise_problems(self, list(self._problems()))
        return self

    def _problems(self) -> Iterator[Problem]:
        for name, value in (("width", self.width), ("height", self.height)):
            if value is not None and value % 2:
                yield name, "must be even: colour has half the resolution of brightness"
        if self.maxrate_kbps is not None and self.maxrate_kbps < self.bitrate_kbps:
            yield "maxrateKbps", "must not be less than 'bitrateKbps'"
        if self.bufsize_kbit is not None and self.bufsize_kbit * 10 < self.peak_kbps:
            yield "bufsizeKbit", "must hold a tenth of a second at least: a key frame does not fit into less"
        if self.profile is not None and self.profile not in _PROFILES[self.codec]:
            known = ", ".join(f"'{name}'" for name in _PROFILES[self.codec])
            yield "profile", f"must be one of {known} for {self.codec}"
        if self.profile == "baseline" and self.b_frames:
            yield "bFrames", "must be 0 or not given: the baseline profile has no B frames"

    @property
    def peak_kbps(self) -> int:
        """The most that the picture takes."""
        return self.maxrate_kbps or self.bitrate_kbps


class MatrixCell(Model):
    """One crossing of the audio matrix: an input channel heard in an output channel."""

    output: Annotated[int, Whole(1, 8)]
    """Output channel, counted from 1."""
    input: Annotated[int, Whole(1, 16)]
    """Input channel, counted from 1; one that the source does not have is silence."""
    gain_db: Annotated[float, BeforeValidator(_gain)] = 0.0
    """0: unchanged, -6: about half, 6: about twice as loud."""


class AudioEncode(Model):
    """How the sound is encoded anew."""

    codec: Literal["aac", "mp2", "opus"]
    bitrate_kbps: Annotated[int, Whole(8, 2048, "kb/s")]
    """Bit rate of each track."""
    sample_rate: Annotated[int, Whole(8000, 96000, "Hz")] = 48000
    """Samples per second."""
    channels: Annotated[int, Whole(1, 8)] = 2
    """1 mono, 2 stereo, 4 quad, 5, 6 (5.1: L R C LFE Ls Rs), 8 (7.1)."""
    track: Annotated[int, Whole(1, 32)] | None = None
    """The only audio track (PID) that is taken, counted from 1; none: all, or the first with a matrix."""
    matrix: Annotated[tuple[MatrixCell, ...], ListOf, Field(max_length=MAX_MATRIX)] = ()
    """Which input channel goes to which output channel. Not given: ffmpeg's usual mix-down or mix-up."""

    @model_validator(mode="after")
    def _check(self) -> AudioEncode:
        raise_problems(self, list(self._problems()))
        return self

    def _problems(self) -> Iterator[Problem]:
        if self.channels not in _CHANNELS[self.codec]:
            yield "channels", f"must be {_either(_CHANNELS[self.codec])} for {self.codec}"
        if self.sample_rate not in _SAMPLE_RATES[self.codec]:
            yield "sampleRate", f"must be {_either(_SAMPLE_RATES[self.codec])} Hz for {self.codec}"
        yield from self._bitrate_problems()
        seen = set()
        for cell in self.matrix:
            if cell.output > self.channels:
                yield "matrix", f"has an output {cell.output}, but there are {self.channels} channels"
            if (cell.output, cell.input) in seen:
                yield "matrix", f"says twice how input {cell.input} goes to output {cell.output}"
            seen.add((cell.output, cell.input))

    def _bitrate_problems(self) -> Iterator[Problem]:
        if self.codec == "mp2":
            known = _MP2_KBPS if self.sample_rate >= 32000 else _MP2_LOW_KBPS
            if self.bitrate_kbps not in known:
                yield "bitrateKbps", f"must be {_either(known)} for mp2 at {self.sample_rate} Hz"
            return
        most = _PER_CHANNEL_KBPS[self.codec] * self.channels * self.sample_rate // 48000
        if self.bitrate_kbps > most:
            yield "bitrateKbps", f"must be at most {most} for {self.codec} with these channels and this sample rate"


def _either(values: tuple[int, ...]) -> str:
    *others, last = map(str, values)
    return f"{', '.join(others)} or {last}" if others else last


def _shape(value: object) -> str:
    return "word" if isinstance(value, str) else "encode"


def _picture(value: object) -> object:
    if not isinstance(value, dict | Model) and value != "copy":
        refuse("must be 'copy', or an object that says how to encode")
    return value


def _sound(value: object) -> object:
    if not isinstance(value, dict | Model) and value not in ("copy", "none"):
        refuse("must be 'copy', 'none', or an object that says how to encode")
    return value


Picture = Annotated[
    Annotated[Literal["copy"], Tag("word")] | Annotated[VideoEncode, Tag("encode")],
    Discriminator(_shape),
    BeforeValidator(_picture),
]
Sound = Annotated[
    Annotated[Literal["copy", "none"], Tag("word")] | Annotated[AudioEncode, Tag("encode")],
    Discriminator(_shape),
    BeforeValidator(_sound),
]


class Transcode(Model):
    """What ffmpeg does between the source and the destinations."""

    video: Picture
    """`copy`, or how to encode it anew."""
    audio: Sound
    """`copy`, `none`, or how to encode it anew."""
    subtitles: Literal["copy", "none"] = "none"
    """Teletext and DVB subtitles."""
    muxrate_kbps: Annotated[int, Whole(100, 1_000_000, "kb/s")] | None = None
    """Constant bit rate of the whole stream, filled up with null packets; none: as much as there is."""
    service_name: Annotated[str, BeforeValidator(_service)] | None = None
    """Name of the programme (SDT)."""
    service_provider: Annotated[str, BeforeValidator(_service)] | None = None
    """Its provider (SDT)."""

    @model_validator(mode="after")
    def _check(self) -> Transcode:
        least = self.least_muxrate_kbps
        if self.muxrate_kbps is not None and self.muxrate_kbps < least:
            message = f"must be at least {least}: picture, sound and 5 % for the transport stream"
            raise_problems(self, [("muxrateKbps", message)])
        return self

    @property
    def least_muxrate_kbps(self) -> int:
        """What is known to be needed; a copied stream is not known."""
        picture = self.video.peak_kbps if isinstance(self.video, VideoEncode) else 0
        sound = self.audio.bitrate_kbps if isinstance(self.audio, AudioEncode) else 0
        return -(-(picture + sound) * 105 // 100) + (50 if picture or sound else 0)
