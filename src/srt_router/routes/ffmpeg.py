"""The command line of the ffmpeg process that transcodes a route: from one bus to the other."""

from __future__ import annotations

from srt_router.routes.bus import Bus
from srt_router.routes.engine import Engine
from srt_router.routes.transcode import NTSC_RATES, AudioEncode, MatrixCell, Transcode, VideoEncode
from srt_router.routes.uri import BUS_RCVBUF, LOOPBACK

VAAPI_DEVICE = "/dev/dri/renderD128"
HARDWARE = ("nvenc", "qsv", "vaapi")
"""In the order in which `auto` takes them."""
SOFTWARE = {"h264": "libx264", "hevc": "libx265"}

FIFO_PACKETS = 100_000
"""TS packets between ffmpeg's receiving thread and its work: 7.5 s of 20 Mb/s. A page is used once it was needed."""
ANALYZE_US = 3_000_000
"""Microseconds of the stream that are looked through at most until its codecs are known."""
PROBE_BYTES = 10_000_000
INTERLEAVE_US = 500_000
"""The mux waits no longer for a stream that has nothing to say: 10 s, the default, would be that late for ever."""

_NVENC_PRESETS = {
    "ultrafast": "p1", "superfast": "p1", "veryfast": "p2", "faster": "p3", "fast": "p4",
    "medium": "p4", "slow": "p5", "slower": "p6", "veryslow": "p7",
}  # fmt: skip
_QSV_PRESETS = {"ultrafast": "veryfast", "superfast": "veryfast"}
_AUDIO_ENCODERS = {"aac": "aac", "mp2": "mp2", "opus": "libopus"}
_LAYOUTS = {1: "mono", 2: "stereo", 4: "4.0", 5: "5.0", 6: "5.1", 8: "7.1"}


def encoder_of(video: VideoEncode, engine: Engine) -> str:
    """Return ffmpeg's name of the encoder; one that is named by the route is taken whether it works or not."""
    if video.encoder == "software":
        return SOFTWARE[video.codec]
    if video.encoder != "auto":
        return f"{video.codec}_{video.encoder}"
    candidates = (f"{video.codec}_{hardware}" for hardware in HARDWARE)
    return next((name for name in candidates if name in engine.encoders), SOFTWARE[video.codec])


def may_use_hardware(transcode: Transcode | None) -> bool:
    """Tell whether what hardware can do here must be known before the route is planned."""
    return transcode is not None and isinstance(transcode.video, VideoEncode) and transcode.video.encoder != "software"


def missing_encoder(transcode: Transcode | None, engine: Engine) -> str | None:
    """Say why the encoder that a route names cannot be had on this machine; None: it can."""
    if transcode is None or not isinstance(transcode.video, VideoEncode):
        return None
    video, name = transcode.video, encoder_of(transcode.video, engine)
    if video.encoder in ("auto", "software") or name in engine.encoders:
        return None
    works = ", ".join(sorted(engine.encoders)) or "none does"
    return (
        f"transcode.video.encoder: {video.encoder} cannot encode {video.codec} on this machine "
        f"({name} was tried; hardware that works here: {works}). Use 'auto' or 'software'"
    )


def transcode_argv(transcode: Transcode, source: Bus, target: Bus, engine: Engine) -> tuple[str, ...]:
    """Return the command line.

    It waits for its input for as long as it takes, and goes on when the source comes back with other
    timestamps or PIDs. It reports to stdout once a second; stderr tells what it found, then only trouble,
    each repeated line once.
    """
    reports = ("-loglevel", "level+info", "-progress", "pipe:1", "-stats_period", "1")
    return (
        "ffmpeg", "-nostdin", "-hide_banner", "-nostats", *reports,
        *_device(transcode, engine),
        *_input(source),
        *_video(transcode, engine),
        *_audio(transcode),
        *(("-map", "0:s?", "-c:s", "copy") if transcode.subtitles == "copy" else ()),
        *_mux(transcode),
        f"udp://{target}?localaddr={LOOPBACK}&ttl=0&pkt_size=1316",
    )  # fmt: skip


def _device(transcode: Transcode, engine: Engine) -> tuple[str, ...]:
    video = transcode.video
    if isinstance(video, VideoEncode) and encoder_of(video, engine).endswith("_vaapi"):
        return ("-vaapi_device", VAAPI_DEVICE)
    return ()


def _input(source: Bus) -> tuple[str, ...]:
    """Return the input: large buffers, so that bursts wait while the encoder is busy; lost is what overflows."""
    options = f"localaddr={LOOPBACK}&buffer_size={BUS_RCVBUF}&fifo_size={FIFO_PACKETS}&overrun_nonfatal=1"
    return (
        "-f", "mpegts", "-analyzeduration", str(ANALYZE_US), "-probesize", str(PROBE_BYTES),
        "-merge_pmt_versions", "1", "-i", f"udp://{source}?{options}",
    )  # fmt: skip


def _video(transcode: Transcode, engine: Engine) -> tuple[str, ...]:
    taken = ("-map", "0:v:0?")
    video = transcode.video
    if not isinstance(video, VideoEncode):
        return (*taken, "-c:v", "copy")
    encoder = encoder_of(video, engine)
    filters = _picture_filters(video, encoder)
    rate = ("-r", NTSC_RATES.get(video.frame_rate, str(video.frame_rate))) if video.frame_rate is not None else ()
    return (
        *taken, "-c:v", encoder,
        *(("-vf", ",".join(filters)) if filters else ()),
        *rate, "-vsync", "cfr",
        *_encoder_options(video, encoder),
        "-b:v", f"{video.bitrate_kbps}k",
        "-maxrate", f"{video.peak_kbps}k",
        "-bufsize", f"{video.bufsize_kbit or video.peak_kbps}k",
        "-g", str(video.gop_frames),
    )  # fmt: skip


def _picture_filters(video: VideoEncode, encoder: str) -> list[str]:
    filters = []
    if video.deinterlace is not None:
        filters.append(f"bwdif=mode=send_{video.deinterlace}:deint=interlaced")
    if video.width or video.height:
        filters.append(f"scale=w={video.width or -2}:h={video.height or -2}")
    if encoder.endswith("_vaapi"):
        filters += ["format=nv12", "hwupload"]
    return filters


def _encoder_options(video: VideoEncode, encoder: str) -> tuple[str, ...]:
    profile: tuple[str, ...] = ("-profile:v", video.profile) if video.profile else ()
    b_frames = ("-bf", str(video.b_frames)) if video.b_frames is not None else ()
    if encoder.endswith("_vaapi"):  # its pictures are in the card already; it knows no presets
        if video.profile == "baseline":
            profile = ("-profile:v", "constrained_baseline")
        return (*profile, *b_frames)
    if encoder.endswith("_nvenc"):
        preset = ("-preset", _NVENC_PRESETS[video.preset])
        return (*preset, "-rc", "vbr", "-no-scenecut", "1", "-pix_fmt", "yuv420p", *profile, *b_frames)
    if encoder.endswith("_qsv"):
        preset = ("-preset", _QSV_PRESETS.get(video.preset, video.preset))
        return (*preset, "-pix_fmt", "nv12", *profile, *b_frames)
    options = ("-preset", video.preset, "-pix_fmt", "yuv420p", *profile)
    gop = video.gop_frames
    if encoder == "libx265":
        parameters = f"keyint={gop}:min-keyint={gop}:scenecut=0:open-gop=0:log-level=warning"
        if video.b_frames is not None:
            parameters += f":bframes={video.b_frames}"
        return (*options, "-x265-params", parameters)
    return (*options, "-keyint_min", str(gop), "-sc_threshold", "0", *b_frames)


def _audio(transcode: Transcode) -> tuple[str, ...]:
    audio = transcode.audio
    if audio == "none":
        return ("-an",)
    if not isinstance(audio, AudioEncode):
        return ("-map", "0:a?", "-c:a", "copy")
    track = audio.track or (1 if audio.matrix else None)
    filters = ["aresample=async=1000"]  # fills what was lost with silence, so that sound and picture stay together
    channels: tuple[str, ...] = ("-ac", str(audio.channels))
    if audio.matrix:
        filters.append(_pan(audio))
        channels = ()
    return (
        "-map", "0:a?" if track is None else f"0:a:{track - 1}?",
        "-c:a", _AUDIO_ENCODERS[audio.codec],
        "-b:a", f"{audio.bitrate_kbps}k",
        "-ar", str(audio.sample_rate), *channels,
        "-af", ",".join(filters),
    )  # fmt: skip


def _pan(audio: AudioEncode) -> str:
    outputs: dict[int, list[MatrixCell]] = {}
    for cell in audio.matrix:
        outputs.setdefault(cell.output, []).append(cell)
    sums = [f"c{output - 1}={'+'.join(map(_heard, cells))}" for output, cells in sorted(outputs.items())]
    return "|".join([f"pan={_LAYOUTS[audio.channels]}", *sums])


def _heard(cell: MatrixCell) -> str:
    return f"{10 ** (cell.gain_db / 20):.6f}*c{cell.input - 1}"


def _mux(transcode: Transcode) -> tuple[str, ...]:
    rate = ("-muxrate", f"{transcode.muxrate_kbps}k") if transcode.muxrate_kbps is not None else ()
    names = {"service_name": transcode.service_name, "service_provider": transcode.service_provider}
    metadata = [word for name, value in names.items() if value for word in ("-metadata", f"{name}={value}")]
    return (
        "-max_interleave_delta", str(INTERLEAVE_US),
        "-f", "mpegts", "-mpegts_flags", "+initial_discontinuity", "-pat_period", "0.1",
        *rate, "-flush_packets", "0", *metadata,
    )  # fmt: skip
