"""Imports of a command: without the collector, and without what structlog would load and nothing here uses.

They were half of a worker's start. Modules make a hundred thousand objects that stay; Python's collector walks them
again and again while they grow. structlog loads rich, 67 modules, for tracebacks that show local variables: ours never
do, since those hold messages (see `connector/logs.py`). Commands that use rich import it themselves.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quick_imports() -> Iterator[None]:
    """Import inside; the collector rests meanwhile, where it is not resting anyhow."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        _import_structlog()
        yield
    finally:
        if collecting:
            gc.enable()


def _import_structlog() -> None:
    if "structlog" in sys.modules or "rich" in sys.modules:
        return
    sys.modules["rich"] = None  # type: ignore[assignment]  # Python's way to say that there is none
    try:
        import structlog.dev  # noqa: F401 - for its effect: it looks for rich once
    finally:
        del sys.modules["rich"]
