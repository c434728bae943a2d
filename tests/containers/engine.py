"""A Docker engine of the tests' own: daemon and clients run in a root of Debian 13's, never those of the machine."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import psutil

from tests import guard
from tests.containers.sandbox import NAMESERVER, REPOSITORY
from tests.waiting import wait_until

START_SECONDS = 60.0
STOP_SECONDS = 20.0
COMMAND_SECONDS = 300.0
ROOM = 8 * 2**30
"""Bytes that images and containers may take; where so much memory is not free they lie on the disk."""

# Not `chroot`, which is for clients: whoever enters a container from such a process ends up outside of it.
INTO_ROOT = 'cd "$1" && shift && pivot_root . mnt && exec chroot . sh -c \'umount -l /mnt && exec "$@"\' sh "$@"'


class CommandError(AssertionError):
    """A docker command that ended otherwise than it should."""


class Engine:
    """The daemon, and `docker` commands for it. The sandbox (sandbox.py) is what takes all of it away."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.root = place / "root"
        self.socket = place / "docker.sock"
        self.log = place / "dockerd.log"
        self.environment = {**os.environ, "DOCKER_HOST": f"unix://{self.socket}"}

    def prepare(self, root: Path) -> None:
        """Mount the root: what is written goes to the run's folder, and this machine's paths of ours mean the same."""
        upper, work, data = (self._folder(name) for name in ("upper", "work", "data"))
        self._folder("root")
        _mount("-t", "overlay", "overlay", "-o", f"lowerdir={root},upperdir={upper},workdir={work}", str(self.root))
        for kernel in ("/proc", "/sys", "/dev"):
            _mount("--rbind", kernel, f"{self.root}{kernel}")
        for folder in (self.place, REPOSITORY):
            Path(f"{self.root}{folder}").mkdir(parents=True, exist_ok=True)
            _mount("--rbind", str(folder), f"{self.root}{folder}")
        # Layers cannot lie on the overlay that the root is. In memory they need not be deleted, which takes longest.
        if psutil.virtual_memory().available >= ROOM:
            _mount("-t", "tmpfs", "-o", f"size={ROOM}", "tmpfs", str(data))
        layers = self.root / "var" / "lib" / "docker"
        layers.mkdir(exist_ok=True)
        _mount("--bind", str(data), str(layers))
        _mount("-t", "tmpfs", "tmpfs", f"{self.root}/run")
        (self.root / "etc" / "resolv.conf").write_text(f"nameserver {NAMESERVER}\n")

    def start(self) -> None:
        """Start the daemon; returns when it answers."""
        command = ["dockerd", f"--host=unix://{self.socket}", "--exec-opt=native.cgroupdriver=cgroupfs"]
        command += [f"--cgroup-parent=/{self.place.name}"]
        self._daemon = daemon = guard.spawn(
            ["unshare", "--mount", "sh", "-c", INTO_ROOT, "sh", str(self.root), *command], self.log
        )

        def answers() -> bool:
            assert daemon.poll() is None, self.log.read_text()[-4000:]
            return self.socket.exists() and self._run("docker", "version").returncode == 0

        wait_until(answers, "the engine to answer", within=START_SECONDS)

    def stop(self) -> None:
        """End the daemon; the sandbox ends what it leaves."""
        guard.end(self._daemon, within=STOP_SECONDS)

    def docker(self, *arguments: str, within: float = COMMAND_SECONDS, code: int | None = 0) -> str:
        """What `docker …` says, run in the repository; raises CommandError where it ends otherwise than with `code`."""
        done = self._run("docker", *arguments, within=within)
        if code is not None and done.returncode != code:
            raise CommandError(f"docker {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout[-6000:]}")
        return done.stdout

    def shell(self, script: str) -> str:
        """What a script says that users are told to type, in the repository."""
        done = self._run("bash", "-c", script)
        if done.returncode:
            raise CommandError(f"{script}\nended with {done.returncode}:\n{done.stdout[-6000:]}")
        return done.stdout

    def compose(self, *arguments: str, within: float = COMMAND_SECONDS, code: int | None = 0) -> str:
        return self.docker("compose", *arguments, within=within, code=code)

    def inspect(self, name: str) -> dict[str, Any]:
        """All that the engine knows of a container or an image."""
        (found,) = json.loads(self.docker("inspect", name))
        assert isinstance(found, dict)
        return found

    def load(self, archive: Path, name: str, *changes: str) -> None:
        """Make an image of a root file system's archive."""
        self.docker("import", *(f"--change={change}" for change in changes), str(archive), name)

    def show(self, folder: Path) -> str:
        """Where the engine sees a folder of this machine's that lies elsewhere."""
        seen = self.place / "seen" / folder.name
        seen.mkdir(parents=True)
        for target in (seen, Path(f"{self.root}{seen}")):
            _mount("--bind", str(folder.resolve()), str(target))
        return str(seen)

    def command(self, *words: str, folder: Path = REPOSITORY) -> list[str]:
        """How such a command is run from outside the root."""
        return ["chroot", str(self.root), "env", f"--chdir={folder}", f"DOCKER_HOST=unix://{self.socket}", *words]

    def _run(self, *words: str, within: float = COMMAND_SECONDS) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
            timeout=within,
        )

    def _folder(self, name: str) -> Path:
        folder = self.place / name
        folder.mkdir()
        return folder


def _mount(*arguments: str) -> None:
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"mount {' '.join(arguments)}: {done.stderr}"
