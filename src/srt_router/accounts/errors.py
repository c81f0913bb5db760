"""What can go wrong with accounts, as users read it."""

from __future__ import annotations

from srt_router.errors import SrtRouterError


class SignInRefused(SrtRouterError):  # noqa: N818 - said as it is
    """Name and password do not fit. Says no more: whoever guesses learns nothing."""

    code = "signInRefused"

    def __init__(self) -> None:
        super().__init__("user name and password do not fit, or the account is disabled")


class SignInThrottled(SrtRouterError):  # noqa: N818 - said as it is
    """Too many wrong passwords from there."""

    code = "signInThrottled"

    def __init__(self, wait_s: float) -> None:
        self.wait_s = max(1, round(wait_s + 0.5))
        super().__init__(f"too many sign-ins from this address: try again in {self.wait_s} s")


class PasswordRefused(SrtRouterError):  # noqa: N818 - said as it is
    """A new password is not good enough."""

    code = "passwordRefused"


class UserNotFound(SrtRouterError):  # noqa: N818 - said as it is
    """No user has this name."""

    code = "userNotFound"


class UserNameRefused(SrtRouterError):  # noqa: N818 - said as it is
    """The name of a new user is taken or not allowed."""

    code = "userNameRefused"


class LastAdministrator(SrtRouterError):  # noqa: N818 - said as it is
    """Nobody could administer this server any more."""

    code = "lastAdministrator"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} is the last administrator who can sign in: make another user administrator first, then try again"
        )


class SessionNotFound(SrtRouterError):  # noqa: N818 - said as it is
    """No session has this id, or it is somebody else's."""

    code = "sessionNotFound"


class TokenNotFound(SrtRouterError):  # noqa: N818 - said as it is
    """No API token has this id, or it is somebody else's."""

    code = "tokenNotFound"


class TokenRefused(SrtRouterError):  # noqa: N818 - said as it is
    """An API token cannot be made like this."""

    code = "tokenRefused"
