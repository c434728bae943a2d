"""`python -m release`: build, check and describe this commit's wheel and sdist.

Exit codes: 0 done, 1 one line says why not.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from release import ReleaseError, checkout, licences, locks, sbom
from release.build import built_twice, digest
from release.installed import Installed


def main() -> int:
    arguments = argparse.ArgumentParser(prog="make release", description=__doc__)
    arguments.add_argument("--folder", type=Path, default=checkout.ROOT / "dist", help="where it is put (dist/)")
    arguments.add_argument("--uncommitted", action="store_true", help="try it with what is not committed yet")
    asked = arguments.parse_args()
    try:
        _release(asked.folder, committed=not asked.uncommitted)
    except ReleaseError as error:
        print(f"make release: {error}", file=sys.stderr)
        return 1
    return 0


def _release(folder: Path, *, committed: bool) -> None:
    began = time.monotonic()
    version = checkout.project()["version"]
    if committed:
        checkout.must_be_committed()
    checkout.must_be_told_of(version)
    built = built_twice(folder)
    _say(f"{built.wheel.name}, {built.sdist.name}: built twice, equal byte for byte")

    packages, needed = locks.shipped()
    with tempfile.TemporaryDirectory(prefix="release-") as temporary:
        installed = Installed(Path(temporary))
        installed.install(built.wheel, checkout.ROOT / "requirements" / "extras.lock")
        _say(f"installed in an empty environment: {installed.try_it(version)}")
        policy = licences.Policy.read()
        parts = [
            *licences.python_parts(packages, installed.distributions(), policy),
            *licences.browser_parts(),
        ]
    if problems := licences.problems(parts, policy):
        raise ReleaseError("; ".join(problems))
    _say(f"licences of {len(parts)} packages and browser libraries are allowed")

    artefacts = (built.wheel, built.sdist)
    bom = sbom.document(parts, packages, needed=needed, direct=locks.direct(), artefacts=artefacts)
    described = folder / f"kafka-sms-connector-{version}.cdx.json"
    described.write_text(sbom.encode(bom), "utf-8")
    sums = "".join(f"{digest(file)}  {file.name}\n" for file in (*artefacts, described))
    (folder / "SHA256SUMS").write_text(sums)
    print(sums, end="")
    _say(f"done in {time.monotonic() - began:.0f} s; `sha256sum -c SHA256SUMS` in {folder.name}/ checks it")


def _say(what: str) -> None:
    print(f"== {what}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
