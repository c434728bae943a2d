"""A schema registry for tests: Apicurio, as Maven has it, in memory, with Confluent's API."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tarfile
import tempfile
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from tests import guard
from tests.kafka.jars import CACHE, MAVEN_SECONDS, JarsUnavailableError, java
from tests.kafka.ports import free_ports
from tests.waiting import wait_until

RELEASE = "2.6.13.Final"
"""The last that runs on Java 17."""
PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1"
START_SECONDS = 120.0


def runner() -> Path:
    """The jar that starts it, unpacked into .cache/ once. Raises JarsUnavailableError."""
    folder = CACHE / f"apicurio-{RELEASE}"
    if not folder.is_dir():
        maven = shutil.which("mvn")
        if maven is None:
            raise JarsUnavailableError("no `mvn` on the path (Apache Maven resolves the schema registry)")
        CACHE.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
            artifact = f"io.apicurio:apicurio-registry-app:{RELEASE}:tar.gz:all"
            command = [maven, "--batch-mode", "--quiet", f"{PLUGIN}:copy", f"-Dartifact={artifact}"]
            command += [f"-DoutputDirectory={scratch}"]
            try:
                subprocess.run(command, check=True, capture_output=True, text=True, timeout=MAVEN_SECONDS, cwd=scratch)
            except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
                last = str(error.stdout or error).strip().splitlines()[:3]
                raise JarsUnavailableError(f"Maven could not resolve Apicurio {RELEASE}: {' '.join(last)}") from error
            (packed,) = Path(scratch).glob("*.tar.gz")
            unpacked = Path(scratch) / "unpacked"
            with tarfile.open(packed) as archive:
                archive.extractall(unpacked, filter="data")
            if not folder.is_dir():
                unpacked.rename(folder)
    (found,) = folder.glob("*-runner.jar")
    return found


class SchemaRegistry:
    """One process.

    Attributes:
        url: of Confluent's API.
    """

    def __init__(self, folder: Path) -> None:
        (port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{port}/apis/ccompat/v7"
        self._log = folder / "registry.log"
        environment = {**os.environ, "QUARKUS_HTTP_PORT": str(port), "QUARKUS_HTTP_HOST": "127.0.0.1"}
        command = [java(), "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-jar", str(runner())]
        self._process = guard.spawn(command, self._log, env=environment)

    def wait(self) -> None:
        """Return when it answers."""
        wait_until(self._answers, "the schema registry to start", within=START_SECONDS)

    def pause(self) -> None:
        """SIGSTOP: connections stay open, and nobody answers."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        self.resume()
        guard.end(self._process)

    def _answers(self) -> bool:
        assert self._process.poll() is None, self._log.read_text(errors="replace")[-2000:]
        try:
            with urlopen(f"{self.url}/subjects", timeout=5) as response:
                return bool(response.status == 200)
        except (URLError, OSError):
            return False
