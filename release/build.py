"""Wheel and sdist: built twice under different circumstances, equal byte for byte, with the whole package in them."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from release import ReleaseError, checkout

HOOK = "import sys; from setuptools import build_meta; getattr(build_meta, sys.argv[1])(sys.argv[2])"
# What must not show in what is built: order of hashes, time zone, language, and the mask of new files' modes.
CIRCUMSTANCES = (
    ({"PYTHONHASHSEED": "1", "TZ": "UTC", "LC_ALL": "C.UTF-8"}, 0o022),
    ({"PYTHONHASHSEED": "2", "TZ": "Asia/Kolkata", "LC_ALL": "C"}, 0o077),
)


@dataclass(frozen=True, slots=True)
class Built:
    """What is to be published."""

    wheel: Path
    sdist: Path


def built_twice(target: Path, root: Path = checkout.ROOT) -> Built:
    """Both, in `target`. Raises ReleaseError where two builds differ, or the wheel lacks something."""
    with tempfile.TemporaryDirectory(prefix="release-") as temporary:
        # Once, so that both are of one state even while somebody goes on working.
        snapshot = Path(temporary) / "snapshot"
        epoch = checkout.commit_time(root)
        checkout.copy(snapshot, epoch, root)
        made = []
        for number, (environment, mask) in enumerate(CIRCUMSTANCES):
            folder = Path(temporary) / f"build-{number}"
            folder.mkdir()
            made.append(_built(folder, snapshot, epoch, environment, mask))
        first, second = made
        for one, other in ((first.wheel, second.wheel), (first.sdist, second.sdist)):
            if digest(one) != digest(other):
                raise ReleaseError(f"{one.name} is not reproducible: {first_difference(one, other)}")
        problems = wheel_problems(first.wheel, root)
        if problems:
            raise ReleaseError(f"{first.wheel.name}: {'; '.join(problems)}")
        target.mkdir(parents=True, exist_ok=True)
        return Built(*(path.replace(target / path.name) for path in (first.wheel, first.sdist)))


def _built(folder: Path, snapshot: Path, epoch: int, environment: dict[str, str], mask: int) -> Built:
    source, unpacked, out = folder / "source", folder / "unpacked", folder / "out"
    out.mkdir()
    shutil.copytree(snapshot, source)
    _hook("build_sdist", source, out, environment | {"SOURCE_DATE_EPOCH": str(epoch)}, mask)
    (sdist,) = out.glob("*.tar.gz")
    normalise(sdist, epoch)
    # From the sdist, so that whoever builds from it gets the same wheel.
    with tarfile.open(sdist) as archive:
        archive.extractall(unpacked, filter="data")
    (inside,) = unpacked.iterdir()
    _hook("build_wheel", inside, out, environment | {"SOURCE_DATE_EPOCH": str(epoch)}, mask)
    (wheel,) = out.glob("*.whl")
    normalise_wheel(wheel)
    return Built(wheel, sdist)


def _hook(hook: str, source: Path, out: Path, environment: dict[str, str], mask: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HOOK, hook, str(out)],
        cwd=source,
        env={"PATH": os.environ.get("PATH", ""), **environment},
        umask=mask,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ReleaseError(f"setuptools, {hook}: {done.stderr.strip()[-2000:]}")


def normalise(sdist: Path, epoch: int) -> None:
    """Write the archive again: sorted, all times that of the commit, no owners, modes of two kinds.

    setuptools heeds SOURCE_DATE_EPOCH in wheels alone.
    """
    packed = io.BytesIO()
    with (
        tarfile.open(sdist) as old,
        gzip.GzipFile(filename="", mode="wb", fileobj=packed, mtime=epoch, compresslevel=9) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as new,
    ):
        for member in sorted(old.getmembers(), key=lambda it: it.name):
            executable = member.isdir() or bool(member.mode & 0o100)
            clean = tarfile.TarInfo(member.name)
            clean.type, clean.size, clean.mtime = member.type, member.size, epoch
            clean.mode = checkout.EXECUTABLE if executable else checkout.PLAIN
            new.addfile(clean, old.extractfile(member) if member.isfile() else None)
    sdist.write_bytes(packed.getvalue())


def normalise_wheel(wheel: Path) -> None:
    """Write the archive again with modes of two kinds: setuptools takes over the mask of whoever builds."""
    packed = io.BytesIO()
    with zipfile.ZipFile(wheel) as old, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as new:
        for member in old.infolist():
            executable = bool(member.external_attr >> 16 & 0o100)
            clean = zipfile.ZipInfo(member.filename, member.date_time)
            clean.external_attr = (stat.S_IFREG | (checkout.EXECUTABLE if executable else checkout.PLAIN)) << 16
            clean.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(clean, old.read(member))
    wheel.write_bytes(packed.getvalue())


def wheel_problems(wheel: Path, root: Path = checkout.ROOT) -> list[str]:
    """What it lacks, and what it has and should not have: it holds the tracked files of `connector/` and no others."""
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
    about = {name for name in names if name.split("/")[0].endswith(".dist-info")}
    package = {str(path) for path in checkout.tracked(root) if path.parts[0] == "connector"}
    problems = []
    if lacking := sorted(package - names):
        problems.append(f"lacks {', '.join(lacking[:5])} ({len(lacking)} files): see package-data in pyproject.toml")
    if others := sorted(names - about - package):
        problems.append(f"holds {', '.join(others[:5])} ({len(others)} files), which git does not have in connector/")
    ends = {name.partition("/")[2] for name in about}
    problems += [f"lacks {name}" for name in ("METADATA", "entry_points.txt", "licenses/LICENSE") if name not in ends]
    return problems


def first_difference(one: Path, other: Path) -> str:
    """Where two archives begin to differ, for a person."""
    contents: list[dict[str, tuple[object, ...]]] = []
    for path in (one, other):
        if path.suffix == ".whl":
            with zipfile.ZipFile(path) as archive:
                contents.append({it.filename: (it.date_time, it.external_attr, it.CRC) for it in archive.infolist()})
        else:
            with tarfile.open(path) as archive:
                contents.append(
                    {
                        it.name: (it.mtime, it.mode, hashlib.sha256(_content(archive, it)).hexdigest())
                        for it in archive.getmembers()
                    }
                )
    here, there = contents
    differing = sorted(name for name in here.keys() | there.keys() if here.get(name) != there.get(name))
    if not differing:
        return "the same files in another order"
    name = differing[0]
    return f"{len(differing)} files differ, {name} among them: {here.get(name)} and {there.get(name)}"


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = archive.extractfile(member) if member.isfile() else None
    return b"" if stream is None else stream.read()


def digest(path: Path) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
