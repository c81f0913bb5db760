"""SRT addresses of the tools: what is written is read, what is unknown is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.media.srt_url import SrtUrl

text = st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"]))


@given(
    st.builds(
        SrtUrl,
        port=st.integers(1, 65535),
        mode=st.sampled_from(["caller", "listener"]),
        latency_ms=st.integers(0, 10_000),
        passphrase=text,
        stream_id=text,
        pbkeylen=st.sampled_from([0, 16, 24, 32]),
    )
)
def test_what_is_written_is_read(url: SrtUrl) -> None:
    assert SrtUrl.parse(str(url)) == url


@pytest.mark.parametrize(
    "wrong",
    [
        "udp://127.0.0.1:5000?mode=caller",
        "srt://127.0.0.1:5000",
        "srt://127.0.0.1?mode=caller",
        "srt://127.0.0.1:5000?mode=rendezvous",
        "srt://127.0.0.1:5000?mode=caller&passphrse=secret-secret",
    ],
)
def test_what_is_wrong_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        SrtUrl.parse(wrong)
