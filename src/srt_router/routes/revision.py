"""The revision of a configuration: equal exactly while nothing of it has changed, secrets included."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping


def revision(configuration: Mapping[str, object], key: str) -> str:
    """Return the revision of a route's or a destination's JSON.

    It covers passphrases, and whoever may not see them sees it: so it is keyed with what only the server knows,
    and nobody can try passphrases against it.
    """
    text = json.dumps(configuration, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), key=key.encode()[:64], digest_size=12).hexdigest()
