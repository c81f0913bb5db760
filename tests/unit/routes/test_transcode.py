"""What may stand under `transcode`, and the command line that it becomes."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srt_router.processes.spec import Leg, Peer
from srt_router.routes.bus import Bus
from srt_router.routes.document import parse, render
from srt_router.routes.errors import RouteInvalid
from srt_router.routes.ffmpeg import encoder_of, may_use_hardware, missing_encoder, transcode_argv
from srt_router.routes.parsing import parse_route
from srt_router.routes.plan import PlanContext, plan
from srt_router.routes.transcode import Transcode, VideoEncode
from srt_router.routes.transcode_presets import PRESETS
from tests.unit.routes.examples import BUS, CONTEXT, ENGINE, Json, listener, route, route_json, udp

SECOND = Bus("239.255.3.4", 20002)
BOTH = PlanContext(BUS, "/run/x", ENGINE, SECOND)
VIDEO: Json = {"codec": "h264", "bitrateKbps": 3000}
AUDIO: Json = {"codec": "aac", "bitrateKbps": 128}
FULL: Json = {
    "video": {
        "codec": "h264", "encoder": "software", "preset": "fast", "bitrateKbps": 3000, "maxrateKbps": 4000,
        "bufsizeKbit": 3000, "gopFrames": 25, "bFrames": 2, "profile": "main", "width": 1280, "height": 720,
        "frameRate": 29.97, "deinterlace": "field",
    },
    "audio": {
        "codec": "mp2", "bitrateKbps": 192, "sampleRate": 44100, "channels": 1, "track": 2,
        "matrix": [{"output": 1, "input": 1, "gainDb": -6}, {"output": 1, "input": 2, "gainDb": -3.5}],
    },
    "subtitles": "copy", "muxrateKbps": 5000, "serviceName": "Paris 1", "serviceProvider": "SRT Router",
}  # fmt: skip


def made(transcode: Json) -> Transcode:
    found = route(transcode=transcode).transcode
    assert found is not None
    return found


def argv(transcode: Json, encoders: frozenset[str] = frozenset()) -> tuple[str, ...]:
    return transcode_argv(made(transcode), BUS, SECOND, replace(ENGINE, encoders=encoders))


def video(**more: object) -> Json:
    return {"video": {**VIDEO, **more}, "audio": "copy"}


def audio(**more: object) -> Json:
    return {"video": "copy", "audio": {**AUDIO, **more}}


# The model


@pytest.mark.parametrize("transcode", [FULL, video(), audio(), {"video": "copy", "audio": "none"}, None])
def test_round_trip(transcode: Json | None) -> None:
    given_route = route(listener(6000), transcode=transcode)
    parsed = parse(render([given_route]))
    assert not parsed.errors
    assert parsed.routes == (given_route,)
    written = json.loads(render([given_route]))["routes"][0]["transcode"]
    assert route(listener(6000), transcode=written) == given_route
    if transcode is not FULL:
        assert written == transcode


@pytest.mark.parametrize(
    ("transcode", "field", "message"),
    [
        ({}, "video", "is required"),
        ({"video": "copy"}, "audio", "is required"),
        ([], "", "must be an object"),
        ({"video": "none", "audio": "copy"}, "video", "must be 'copy', or an object"),
        ({"video": None, "audio": "copy"}, "video", "must be 'copy', or an object"),
        ({"video": "copy", "audio": 1}, "audio", "must be 'copy', 'none', or an object"),
        ({"video": {}, "audio": "copy"}, "video.codec", "is required"),
        (video(codec="av1"), "video.codec", "must be 'h264' or 'hevc'"),
        (video(bitrate=5), "video.bitrate", "did you mean 'bitrateKbps'"),
        (
            {"video": "copy", "audio": "copy", "codec": "h264"},
            "codec",
            "is not a known field here; it belongs in 'transcode.video' or 'transcode.audio'",
        ),
        (video(matrix=[]), "video.matrix", "here; it belongs in 'transcode.audio'"),
        (audio(muxrateKbps=5000), "audio.muxrateKbps", "here; it belongs in 'transcode'"),
        (video(bitrateKbps="3000"), "video.bitrateKbps", "write it without quotes"),
        (video(bitrateKbps=3), "video.bitrateKbps", "between 50 and 200000 kb/s"),
        (video(maxrateKbps=2000), "video.maxrateKbps", "must not be less than 'bitrateKbps'"),
        (video(bufsizeKbit=200), "video.bufsizeKbit", "a tenth of a second"),
        (video(encoder="cuda"), "video.encoder", "'nvenc'"),
        (video(preset="p7"), "video.preset", "'veryfast'"),
        (video(gopFrames=0), "video.gopFrames", "between 1 and 1000 frames"),
        (video(width=1279), "video.width", "must be even"),
        (video(height=33), "video.height", "between 64 and 8192 pixels"),
        (video(frameRate=29.9), "video.frameRate", "23.976, 29.97, 59.94"),
        (video(frameRate=True), "video.frameRate", "must be a number"),
        (video(frameRate=float("inf")), "video.frameRate", "whole number from 1 to 120"),
        (video(frameRate=float("nan")), "video.frameRate", "whole number from 1 to 120"),
        (video(frameRate=0), "video.frameRate", "whole number from 1 to 120"),
        (video(deinterlace=True), "video.deinterlace", "must be 'frame' or 'field'"),
        (video(codec="hevc", profile="high"), "video.profile", "'main' for hevc"),
        (video(profile="baseline", bFrames=1), "video.bFrames", "has no B frames"),
        (audio(codec="ac3"), "audio.codec", "'opus'"),
        (audio(codec="mp2", channels=6), "audio.channels", "must be 1 or 2 for mp2"),
        (audio(codec="opus", channels=4), "audio.channels", "1, 2, 5, 6 or 8 for opus"),
        (audio(channels=7), "audio.channels", "for aac"),
        (audio(codec="opus", sampleRate=44100), "audio.sampleRate", "must be 48000 Hz for opus"),
        (audio(codec="mp2", bitrateKbps=144), "audio.bitrateKbps", "for mp2 at 48000 Hz"),
        (audio(bitrateKbps=513), "audio.bitrateKbps", "at most 512 for aac"),
        (audio(matrix=[{"output": 3, "input": 1}]), "audio.matrix", "an output 3, but there are 2 channels"),
        (audio(matrix=[{"output": 1, "input": 1}] * 2), "audio.matrix", "says twice"),
        (audio(matrix=[{"output": 0, "input": 1}]), "audio.matrix[0].output", "between 1 and 8"),
        (audio(matrix=[{"output": 1, "input": 1, "gainDb": 21}]), "audio.matrix[0].gainDb", "between -60 and 20"),
        (audio(matrix=[{"output": 1, "input": 1, "gain": 1}]), "audio.matrix[0].gain", "did you mean 'gainDb'"),
        ({**video(), "muxrateKbps": 3100}, "muxrateKbps", "must be at least 3200"),
        ({**audio(), "serviceName": "Zürich"}, "serviceName", "printable ASCII"),
        ({**audio(), "serviceName": "a\nb"}, "serviceName", "printable ASCII"),
        ({**audio(), "subtitles": "burn"}, "subtitles", "must be 'copy' or 'none'"),
    ],
)
def test_what_ffmpeg_would_not_do_is_refused_and_the_field_is_named(
    transcode: object, field: str, message: str
) -> None:
    with pytest.raises(RouteInvalid) as caught:
        parse_route(route_json(transcode=transcode))
    error = caught.value.errors[0]
    assert error.field == (f"transcode.{field}" if field else "transcode")
    assert message in error.message


def test_the_line_of_an_error_is_found() -> None:
    text = json.dumps({"version": 1, "routes": [route_json(transcode=video(width=1279))]}, indent=1)
    (error,) = parse(text).errors
    assert error.line is not None
    assert '"width"' in text.splitlines()[error.line - 1]


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*FULL, *VIDEO, "x"]), inner),
    max_leaves=8,
)


@given(JSON_VALUES)
def test_anything_is_a_transcode_or_an_error_that_names_it(value: object) -> None:
    try:
        found = parse_route(route_json(transcode=value))
    except RouteInvalid as error:
        assert all(one.field.startswith("transcode") for one in error.errors)  # noqa: PT017 - either is right
    else:
        assert parse(render([found])).routes == (found,)


# The presets


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_presets_are_valid_and_written_as_they_are(preset: Any) -> None:
    found = route(listener(6000), transcode=preset.transcode)
    assert json.loads(render([found]))["routes"][0]["transcode"] == preset.transcode
    assert preset.description


def test_presets_have_names_of_their_own() -> None:
    assert len({preset.name for preset in PRESETS}) == len(PRESETS)


# The command line

START = (
    "ffmpeg", "-nostdin", "-hide_banner", "-nostats", "-loglevel", "level+info",
    "-progress", "pipe:1", "-stats_period", "1",
)  # fmt: skip
INPUT = (
    "-f", "mpegts", "-analyzeduration", "3000000", "-probesize", "10000000", "-merge_pmt_versions", "1", "-i",
    "udp://239.255.1.2:20001?localaddr=127.0.0.1&buffer_size=4000000&fifo_size=100000&overrun_nonfatal=1",
)  # fmt: skip
MUX = (
    "-max_interleave_delta", "500000", "-f", "mpegts", "-mpegts_flags", "+initial_discontinuity",
    "-pat_period", "0.1",
)  # fmt: skip
OUTPUT = "udp://239.255.3.4:20002?localaddr=127.0.0.1&ttl=0&pkt_size=1316"


def test_copy_of_everything() -> None:
    assert argv({"video": "copy", "audio": "copy"}) == (
        *START, *INPUT, "-map", "0:v:0?", "-c:v", "copy", "-map", "0:a?", "-c:a", "copy",
        *MUX, "-flush_packets", "0", OUTPUT,
    )  # fmt: skip


def test_every_option() -> None:
    assert argv(FULL) == (
        *START, *INPUT,
        "-map", "0:v:0?", "-c:v", "libx264",
        "-vf", "bwdif=mode=send_field:deint=interlaced,scale=w=1280:h=720",
        "-r", "30000/1001", "-vsync", "cfr",
        "-preset", "fast", "-pix_fmt", "yuv420p", "-profile:v", "main",
        "-keyint_min", "25", "-sc_threshold", "0", "-bf", "2",
        "-b:v", "3000k", "-maxrate", "4000k", "-bufsize", "3000k", "-g", "25",
        "-map", "0:a:1?", "-c:a", "mp2", "-b:a", "192k", "-ar", "44100",
        "-af", "aresample=async=1000,pan=mono|c0=0.501187*c0+0.668344*c1",
        "-map", "0:s?", "-c:s", "copy",
        *MUX, "-muxrate", "5000k", "-flush_packets", "0",
        "-metadata", "service_name=Paris 1", "-metadata", "service_provider=SRT Router", OUTPUT,
    )  # fmt: skip


def after(words: tuple[str, ...], option: str) -> str | None:
    return words[words.index(option) + 1] if option in words else None


@pytest.mark.parametrize(
    ("transcode", "option", "value"),
    [
        (video(), "-c:v", "libx264"),
        (video(), "-preset", "veryfast"),
        (video(), "-maxrate", "3000k"),
        (video(), "-bufsize", "3000k"),
        (video(maxrateKbps=4000), "-bufsize", "4000k"),
        (video(), "-g", "50"),
        (video(), "-vf", None),
        (video(), "-r", None),
        (video(), "-bf", None),
        (video(bFrames=0), "-bf", "0"),
        (video(frameRate=50), "-r", "50"),
        (video(width=640), "-vf", "scale=w=640:h=-2"),
        (video(height=360), "-vf", "scale=w=-2:h=360"),
        (video(deinterlace="frame"), "-vf", "bwdif=mode=send_frame:deint=interlaced"),
        (video(codec="hevc"), "-c:v", "libx265"),
        (
            video(codec="hevc", bFrames=0, gopFrames=30), "-x265-params",
            "keyint=30:min-keyint=30:scenecut=0:open-gop=0:log-level=warning:bframes=0",
        ),
        (audio(), "-af", "aresample=async=1000"),
        (audio(), "-ac", "2"),
        (audio(codec="opus", channels=6), "-c:a", "libopus"),
        (audio(matrix=[{"output": 2, "input": 1}]), "-af", "aresample=async=1000,pan=stereo|c1=1.000000*c0"),
        (audio(matrix=[{"output": 2, "input": 1}]), "-ac", None),
        (audio(channels=6, matrix=[{"output": 6, "input": 1}]), "-af", "aresample=async=1000,pan=5.1|c5=1.000000*c0"),
    ],
)  # fmt: skip
def test_each_option(transcode: Json, option: str, value: str | None) -> None:
    assert after(argv(transcode), option) == value


def test_which_tracks_are_taken() -> None:
    assert "0:a?" in argv(audio())
    assert "0:a:2?" in argv(audio(track=3))
    assert "0:a:0?" in argv(audio(matrix=[{"output": 1, "input": 1}]))
    silent = argv({"video": "copy", "audio": "none"})
    assert "-an" in silent
    assert not any(word.startswith("0:a") for word in silent)


# Hardware

ALL = frozenset({"h264_nvenc", "hevc_nvenc", "h264_qsv", "h264_vaapi"})


@pytest.mark.parametrize(
    ("choice", "encoders", "name"),
    [
        ({}, frozenset(), "libx264"),
        ({}, ALL, "h264_nvenc"),
        ({}, ALL - {"h264_nvenc"}, "h264_qsv"),
        ({}, frozenset({"h264_vaapi"}), "h264_vaapi"),
        ({}, frozenset({"hevc_nvenc"}), "libx264"),
        ({"codec": "hevc"}, frozenset({"h264_nvenc"}), "libx265"),
        ({"encoder": "software"}, ALL, "libx264"),
        ({"encoder": "vaapi"}, frozenset(), "h264_vaapi"),
    ],
)
def test_who_encodes(choice: Json, encoders: frozenset[str], name: str) -> None:
    wanted = made(video(**choice)).video
    assert isinstance(wanted, VideoEncode)
    assert encoder_of(wanted, replace(ENGINE, encoders=encoders)) == name


def test_hardware_gets_what_it_needs() -> None:
    nvenc = argv(video(encoder="nvenc", preset="slow", bFrames=2))
    assert after(nvenc, "-preset") == "p5"
    assert after(nvenc, "-bf") == "2"
    qsv = argv(video(encoder="qsv", preset="ultrafast"))
    assert after(qsv, "-preset") == "veryfast"
    assert after(qsv, "-pix_fmt") == "nv12"
    vaapi = argv(video(encoder="vaapi", width=1280, profile="baseline"))
    assert vaapi.index("-vaapi_device") < vaapi.index("-i")
    assert after(vaapi, "-vf") == "scale=w=1280:h=-2,format=nv12,hwupload"
    assert after(vaapi, "-profile:v") == "constrained_baseline"
    assert after(vaapi, "-preset") is None
    assert after(argv(video(), frozenset({"h264_vaapi"})), "-vaapi_device") == "/dev/dri/renderD128"
    assert after(argv(video()), "-vaapi_device") is None


def test_an_encoder_that_does_not_work_here_is_named() -> None:
    wanted = made(video(encoder="nvenc"))
    reason = missing_encoder(wanted, replace(ENGINE, encoders=frozenset({"h264_vaapi"})))
    assert reason is not None
    for word in ("transcode.video.encoder", "nvenc", "h264_vaapi", "'software'"):
        assert word in reason
    assert missing_encoder(wanted, replace(ENGINE, encoders=ALL)) is None
    for fine in (video(), video(encoder="software"), audio()):
        assert missing_encoder(made(fine), ENGINE) is None
    assert missing_encoder(None, ENGINE) is None


def test_only_who_may_use_hardware_waits_for_its_trial() -> None:
    assert may_use_hardware(made(video()))
    assert may_use_hardware(made(video(encoder="qsv")))
    assert not may_use_hardware(made(video(encoder="software")))
    assert not may_use_hardware(made(audio()))
    assert not may_use_hardware(None)


# The plan


def test_ffmpeg_stands_between_two_buses() -> None:
    specs = plan(route(listener(6000), udp(), transcode=video()), BOTH)
    assert [spec.process_type for spec in specs] == ["srtOut:6000", "udpDuplicator", "ffmpeg", "srt"]
    out, duplicator, ffmpeg, source = specs
    assert source.feeds == ffmpeg.joins == (BUS.group, BUS.port)
    assert ffmpeg.feeds == out.joins == duplicator.joins == (SECOND.group, SECOND.port)
    assert (source.joins, out.feeds) == (None, None)
    assert ffmpeg.legs == (Leg("transcode"),)
    assert ffmpeg.peer is Peer.NONE
    assert str(SECOND) in " ".join(duplicator.argv)
    assert str(BUS) in " ".join(source.argv)


def test_a_udp_source_and_udp_destinations_are_two_processes_then() -> None:
    ends = (listener(6000), udp("192.0.2.8", 5009))
    specs = {s.process_type: s for s in plan(route(*ends, source=udp(None), transcode=video()), BOTH)}
    assert list(specs) == ["srtOut:6000", "udpDuplicator.2", "ffmpeg", "udpDuplicator"]
    source, second = specs["udpDuplicator"], specs["udpDuplicator.2"]
    assert (source.legs, source.joins, source.feeds) == ((Leg("source"),), None, (BUS.group, BUS.port))
    assert (second.legs, second.joins, second.feeds) == ((Leg("destination", 1),), (SECOND.group, SECOND.port), None)
    assert second.config_path == f"/run/x/{second.name}.json"
    assert json.loads(source.config or "") == {"destinations": []}
    plain = {s.process_type: s for s in plan(route(*ends, source=udp(None)), BOTH)}
    assert plain["udpDuplicator"].spec_hash == source.spec_hash


def changed(before: Json | None, then: Json | None) -> set[str]:
    """Which processes of a running route are not left alone by an edit."""
    ends = (listener(6000), udp())
    old, new = (
        {s.process_type: s.spec_hash for s in plan(route(*ends, transcode=cast(Any, t)), BOTH)} for t in (before, then)
    )
    return {kind for kind in old.keys() | new.keys() if old.get(kind) != new.get(kind)}


def test_an_edit_restarts_what_must() -> None:
    assert changed(video(), video(bitrateKbps=4000)) == {"ffmpeg"}
    assert changed(None, video()) == changed(video(), None) == {"ffmpeg", "srtOut:6000", "udpDuplicator"}
    assert changed(None, None) == set()


def test_a_transcode_needs_the_second_bus() -> None:
    with pytest.raises(ValueError, match="second bus"):
        plan(route(transcode=video()), CONTEXT)
