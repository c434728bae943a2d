"""What Faust reads from the environment while it is imported, taken away before it is.

Its settings are kept out by `env={}` (see `app`), but some variables act on the import itself: `F_LOOP` swaps the event
loop, a `FAUST_WEB_PORT` that is no number ends the process with a traceback, `NO_CYTHON` loads streams that acknowledge
events they skip, `DJANGO_SETTINGS_MODULE` sets Django up inside the worker. Clusters full of services set such names.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping

# faust/__init__.py, faust/types/_env.py; each is read as FAUST_… and as F_…
_PREFIXED = (
    "BLOCKING_TIMEOUT",
    "CONSOLE_PORT",
    "DATADIR",
    "DEBUG",
    "FORCE_BLOCKING_TIMEOUT",
    "F_WEB_BIND",
    "LOOP",
    "STRICT",
    "WEB_PORT",
    "WEB_TRANSPORT",
    "WORKDIR",
)
# faust/streams.py and others; faust/fixups/django.py; mode/utils/logging.py
_BARE = ("NO_CYTHON", "DJANGO_SETTINGS_MODULE", "DEVLOG")


def withhold(environ: MutableMapping[str, str]) -> None:
    """Remove what Faust would read; call it before Faust is imported."""
    for name in _PREFIXED:
        environ.pop(f"FAUST_{name}", None)
        environ.pop(f"F_{name}", None)
    for name in _BARE:
        environ.pop(name, None)


withhold(os.environ)
