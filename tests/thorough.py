"""How much is tried: `make check` tries less of the same than `make test`, which sets THOROUGH=1."""

from __future__ import annotations

import os

THOROUGH = os.environ.get("THOROUGH", "") not in ("", "0")


def examples(most: int) -> int:
    """How many examples hypothesis draws of those that a thorough run draws."""
    return most if THOROUGH else max(10, most // 4)
