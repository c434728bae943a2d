"""Apache Kafka's jars, resolved once by Maven into .cache/ and never committed; and which release tests run against."""

from __future__ import annotations

import contextlib
import os
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

VARIABLE = "KAFKA_RELEASE"
NEWEST = "newest"
_NEWEST_OF_MAVEN = "RELEASE"
"""What Maven calls the newest release that its repository serves."""

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


def asked_for() -> str:
    """The release that KAFKA_RELEASE names, such as `4.1.0`, or `newest`; empty where it is not set."""
    return os.environ.get(VARIABLE, "")


@cache
def release() -> str:
    """The release of the brokers that tests start: what is asked for, else KAFKA_3. Raises JarsUnavailableError."""
    asked = asked_for() or KAFKA_3
    return _resolve(_NEWEST_OF_MAVEN).name.removeprefix("kafka-") if asked == NEWEST else asked


@cache
def jars(version: str) -> Path:
    """The folder with the jars of that release; raises JarsUnavailableError. The first call takes some seconds."""
    folder = CACHE / f"kafka-{version}"
    return folder if folder.is_dir() else _resolve(version)


def _resolve(version: str) -> Path:
    """Ask Maven for the jars; the folder is named after the release that came."""
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
        (core,) = target.glob("kafka_2.13-*.jar")
        folder = CACHE / f"kafka-{core.stem.partition('-')[2]}"
        with contextlib.suppress(OSError):  # another run was quicker: its folder is as good
            target.rename(folder)
    return folder
