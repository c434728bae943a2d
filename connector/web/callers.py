"""Who asks, and what they may do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

from connector.settings.web import RoleName

Via = Literal["console", "api"]


class Role(IntEnum):
    """What a person may do; each may do what those before it may."""

    VIEWER = 1
    OPERATOR = 2
    EDITOR = 3

    @property
    def label(self) -> RoleName:
        """As settings and pages write it."""
        return LABELS[self]


LABELS: Mapping[Role, RoleName] = {Role.VIEWER: "viewer", Role.OPERATOR: "operator", Role.EDITOR: "editor"}
ROLES: Mapping[RoleName, Role] = {label: role for role, label in LABELS.items()}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks.

    Attributes:
        name: what the audit log says of them.
        reveal: may see numbers and texts of single messages.
        via: `api` with a token in the request itself, which no other page can make a browser send.
        until: when their session ends, seconds since the epoch; None where it does not end by itself.
    """

    name: str
    role: Role
    reveal: bool = False
    via: Via = "console"
    until: float | None = None
