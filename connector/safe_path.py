"""Nothing in the working folder is imported: it holds settings and definitions, and others may write there.

`python -m connector` puts the working folder first on the module path, so that an `orjson.py` beside the settings would
run with the connector's secrets. PYTHONSAFEPATH=1 prevents that from Python's first import on (the image sets it); this
does it for everything the connector itself imports. Only modules that every interpreter has loaded are used here.
"""

import os
import sys

CODE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120 - pathlib might be theirs
"""The folder that holds this package: a checkout, or site-packages."""


def leave_working_folder() -> None:
    """Take the working folder from the module path, unless it is the checkout that runs."""
    if sys.path and not sys.flags.safe_path and _working(sys.path[0]):
        del sys.path[0]


def isolated() -> list[str]:
    """Flags for an interpreter of ours that is started from here: the same from its first import on."""
    return [] if os.path.realpath(os.getcwd()) == os.path.realpath(CODE) else ["-P"]  # noqa: PTH109


def _working(entry: str) -> bool:
    folder = os.path.realpath(entry or os.getcwd())  # noqa: PTH109
    return folder == os.path.realpath(os.getcwd()) and folder != os.path.realpath(CODE)  # noqa: PTH109
