"""No secret gets past the one place that hides them."""

from __future__ import annotations

import string

from hypothesis import given
from hypothesis import strategies as st

from srt_router.redaction import HIDDEN, redact

carriable = "".join(c for c in string.printable if c not in string.whitespace and c != "&")
secrets = st.text(alphabet=carriable, min_size=10, max_size=79)


@given(secrets)
def test_a_passphrase_in_an_address_is_hidden(secret: str) -> None:
    line = f"Media path: 'srt://h:1?mode=caller&passphrase={secret}&latency=120' --> 'udp://239.255.1.1:1'"
    shown = redact(line)
    assert f"passphrase={HIDDEN}&latency=120" in shown
    assert secret not in shown


@given(secrets, st.text())
def test_a_known_secret_is_hidden_wherever_it_stands(secret: str, around: str) -> None:
    if secret not in HIDDEN + around:
        assert secret not in redact(f"{around} {secret} {around}", {secret, "", "x" * 10})


def test_text_without_secrets_stays() -> None:
    assert redact("srt://h:1?streamid=passphrase") == "srt://h:1?streamid=passphrase"


@given(secrets)
def test_a_passphrase_given_as_an_option_is_hidden(secret: str) -> None:
    shown = redact(f"ffmpeg -mode caller -passphrase {secret} srt://127.0.0.1:4000")
    assert shown == f"ffmpeg -mode caller -passphrase {HIDDEN} srt://127.0.0.1:4000"
