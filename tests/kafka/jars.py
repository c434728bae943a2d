"""Apache Kafka's jars, resolved once by Maven into .cache/ and never committed."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

CACHE = Path(__file__).parents[2] / ".cache"
POM = Path(__file__).with_name("pom.xml")

KAFKA_3 = "3.9.1"
KAFKA_4 = "4.1.0"

JAVA = 17
"""Kafka 4 brokers need it; Kafka 3.9 would do with 11."""

MAVEN_SECONDS = 300


class JarsUnavailableError(RuntimeError):
    """Why there is no Kafka on local Java, and what to install."""


@cache
def java() -> str:
    """The path of a Java that is new enough; raises JarsUnavailableError."""
    path = shutil.which("java")
    if path is None:
        raise JarsUnavailableError(f"no `java` on the path (Java {JAVA} or later)")
    text = subprocess.run([path, "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(\d+)', text)
    if found is None or int(found[1]) < JAVA:
        raise JarsUnavailableError(f"{path} is not Java {JAVA} or later: {text.strip().splitlines()[:1]}")
    return path


@cache
def jars(version: str = KAFKA_3) -> Path:
    """The folder with the jars of that release; raises JarsUnavailableError. The first call takes some seconds."""
    folder = CACHE / f"kafka-{version}"
    if folder.is_dir():
        return folder
    maven = shutil.which("mvn")
    if maven is None:
        raise JarsUnavailableError("no `mvn` on the path (Apache Maven resolves Kafka's jars)")
    CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        target = Path(scratch) / "jars"
        command = [maven, "--batch-mode", "--quiet", "--file", str(POM), f"-Dkafka.version={version}"]
        command += ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={target}"]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=MAVEN_SECONDS)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            last = str(error.stdout or error).strip().splitlines()[:3]
            raise JarsUnavailableError(f"Maven could not resolve Kafka {version}: {' '.join(last)}") from error
        with contextlib.suppress(OSError):  # another run was quicker: its folder is as good
            target.rename(folder)
    return folder
