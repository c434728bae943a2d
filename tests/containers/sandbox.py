"""A place for an engine that leaves nothing behind: namespaces of its own for processes, mounts and network.

Daemon, containers, mounts, bridges and packet filters exist in them only, and go with them: when the first process of
the inner one ends, however it ended, the kernel ends and takes down the rest. The way out is slirp4netns, a user
process that needs no bridge and no rule on the machine. Nothing listens and nothing is reached on the machine itself.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests import guard
from tests.containers.roots import Roots
from tests.waiting import wait_until

REPOSITORY = Path(__file__).parents[2]
SCRATCH = Path("/var/tmp")
PREFIX = "sms-connector-engine-"
LOCK = "in-use"
INSIDE = "SMS_CONTAINERS_SANDBOX"
"""Names the run's folder; set inside the sandbox only. Without it tests/containers has no tests."""

TOOLS = ("unshare", "nsenter", "ip", "slirp4netns", "chroot", "mount")
UNSHARE = ("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child=SIGKILL", "--mount-proc")
NAMESERVER = "10.0.2.3"
"""slirp4netns's own."""


def unavailable() -> str:
    """Why there can be no sandbox here; empty when there can."""
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        return f"the image is for Linux on x86-64, this is {platform.system()} on {platform.machine()}"
    if os.geteuid() != 0:
        return "it needs root, for namespaces and mounts"
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        return f"no {', '.join(missing)} on the path (Debian: apt install slirp4netns iproute2 util-linux)"
    tried = subprocess.run([*UNSHARE, "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        return f"no namespaces of its own: {tried.stderr.strip()}"
    return ""


def run(roots: Roots, arguments: list[str]) -> int:
    """Run pytest with these arguments in a sandbox; returns its exit code. Everything is gone afterwards."""
    for number in (signal.SIGINT, signal.SIGTERM):  # also where a shell has started us with SIGINT ignored
        signal.signal(number, signal.default_int_handler)
    _sweep()
    with tempfile.TemporaryDirectory(prefix=PREFIX, dir=SCRATCH) as folder:
        place = Path(folder)
        try:
            with _owned(place), _inner(place, roots, arguments) as process:
                return process.wait()
        except KeyboardInterrupt:
            return 130
        finally:
            _remove_cgroups(place.name)


@contextmanager
def _inner(place: Path, roots: Roots, arguments: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """The namespaces' first process (a shell, which also buries orphans), once it has a network."""
    begin, go = os.pipe()
    work = f'read -r _ <&{begin}; "$@"; exit $?'
    inner = [sys.executable, "-m", "tests.containers.inside", str(place), str(roots.engine), str(roots.python)]
    process = guard.spawn([*UNSHARE, "sh", "-c", work, "sh", *inner, *arguments], None, pass_fds=(begin,))
    os.close(begin)
    network = None
    try:
        first = wait_until(lambda: _first(process), "the namespaces")
        network = _connect(first, place / "slirp4netns.log")
        os.write(go, b"go\n")
        yield process
    finally:
        os.close(go)
        guard.end(process)
        if network is not None:
            guard.end(network)
        with contextlib.suppress(UnboundLocalError, psutil.NoSuchProcess):
            first.wait(30)  # as process 1 it ends when all others have


def _first(process: subprocess.Popen[bytes]) -> psutil.Process | None:
    """The first process in the namespaces, when it runs there."""
    assert process.poll() is None, f"unshare ended with {process.returncode}"
    children = psutil.Process(process.pid).children()
    return children[0] if children and children[0].name() == "sh" else None


def _connect(first: psutil.Process, log: Path) -> subprocess.Popen[bytes]:
    """Give the namespace an interface whose packets a process of ours sends on; the machine's own ports stay shut."""
    command = ["slirp4netns", "--configure", "--mtu=65520", "--disable-host-loopback", str(first.pid), "tap0"]
    network = guard.spawn(command, log)
    shown = ["nsenter", "--target", str(first.pid), "--net", "ip", "route", "show", "default"]

    def there() -> bool:
        assert network.poll() is None, log.read_text()
        return b"tap0" in subprocess.run(shown, capture_output=True, check=False).stdout

    wait_until(there, "the network")
    return network


@contextmanager
def _owned(place: Path) -> Iterator[None]:
    """Say that the folder is in use: the lock ends with this process, however it ends."""
    with (place / LOCK).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _sweep() -> None:
    """Remove what a run left that was killed with SIGKILL: its files. All else went with its processes."""
    for left in SCRATCH.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError), (left / LOCK).open() as file:  # without one it is just being made
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove_cgroups(left.name)
            shutil.rmtree(left, ignore_errors=True)


def _remove_cgroups(name: str) -> None:
    """The run's control groups: folders of the kernel's that nothing is in any more."""
    groups = Path("/sys/fs/cgroup")
    for top in (groups / name, *groups.glob(f"*/{name}")):
        for folder, _, _ in os.walk(top, topdown=False):
            with contextlib.suppress(OSError):
                Path(folder).rmdir()
