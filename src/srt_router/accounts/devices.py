"""Device cookies: by them a browser that has signed in before is known again, whatever address it shares.

A cookie is a random number and a signature over it, the user and the moment of the last password change. It
opens nothing: it only gives its holder a place of its own in the throttling, where nobody else's tries count.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

from srt_router.accounts.records import User

_LONGEST = 200


def new_device(key: bytes, user: User) -> str:
    """The cookie for a device on which `user` has just signed in."""
    number = secrets.token_hex(12)
    return f"{number}.{_signature(key, user, number)}"


def known_device(key: bytes, user: User | None, shown: str | None) -> str | None:
    """The device, if `user` has signed in on it since the last change of the password; else None."""
    if user is None or not shown or len(shown) > _LONGEST or not shown.isascii():
        return None
    number, _, signature = shown.partition(".")
    return number if hmac.compare_digest(signature, _signature(key, user, number)) else None


def _signature(key: bytes, user: User, number: str) -> str:
    words = f"{user.id}:{user.password_changed_at}:{number}"
    return hmac.new(key, words.encode(), hashlib.sha256).hexdigest()
