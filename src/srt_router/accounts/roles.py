"""Roles: what somebody may do. Each may do what the one before it may."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """From the least to the most."""

    VIEWER = "viewer"
    """Looks at everything but secrets."""
    OPERATOR = "operator"
    """Also changes routes and puts them on and off air."""
    ADMINISTRATOR = "administrator"
    """Also users, tokens of others, settings, backups."""

    def covers(self, least: Role) -> bool:
        """True where this role may do what `least` may."""
        order = list(Role)
        return order.index(self) >= order.index(least)
