"""`python -m tests.unwritable FOLDER COMMAND… [--and COMMAND…]`: command lines where nothing but TMPDIR can be written.

FOLDER is made read-only and is the working directory and the home. Root may write anywhere, so that right is given up
first (Linux: the capability leaves the bounding set, and with it what is started). Ends with the first exit code that
is not 0; files that a command leaves in TMPDIR are a failure too.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

PR_CAPBSET_DROP = 24  # linux/prctl.h
CAP_DAC_OVERRIDE = 1  # linux/capability.h
AND = "--and"
AGAIN = "--unwritable"
"""Instead of FOLDER, in the process that has given the right up."""


def restrict(folder: Path, arguments: list[str]) -> None:
    """Start this program again, with that folder and without that right."""
    folder.chmod(0o555)
    if os.geteuid() == 0:
        ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE)
    environ = {**os.environ, "HOME": str(folder), "PYTHONPATH": str(Path(__file__).parents[1])}
    os.chdir(folder)
    os.execve(sys.executable, [sys.executable, "-m", "tests.unwritable", AGAIN, *arguments], environ)


def run(arguments: list[str]) -> int:
    """The commands, one after the other."""
    from connector.cli.main import main

    try:
        Path("written").touch()
    except PermissionError:
        pass
    else:
        sys.exit("the folder can be written all the same")
    while arguments:
        end = arguments.index(AND) if AND in arguments else len(arguments)
        command, arguments = arguments[:end], arguments[end + 1 :]
        sys.stderr.write(f"$ {' '.join(command)}\n")
        try:
            main(command)
        except SystemExit as ended:
            if ended.code:
                return int(ended.code)
    return 0


if __name__ == "__main__":
    if sys.argv[1] == AGAIN:
        sys.exit(run(sys.argv[2:]))
    restrict(Path(sys.argv[1]), sys.argv[2:])
