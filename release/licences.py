"""Whether everything that users get may be passed on: packages of all extras, and libraries inside the wheel."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution
from pathlib import Path

from packaging.utils import canonicalize_name

from release import ReleaseError, checkout
from release.locks import Locked

DECLARED = Path(__file__).with_name("licences.toml")

# SPDX identifier of the words that packages use where they have no `License-Expression`.
WORDS = {
    "apache license 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache software license 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "apache 2": "Apache-2.0",
    "apache-2.0": "Apache-2.0",
    "bsd-2-clause": "BSD-2-Clause",
    "bsd 2-clause license": "BSD-2-Clause",
    "bsd-3-clause": "BSD-3-Clause",
    "3-clause bsd license": "BSD-3-Clause",
    "bsd license": "BSD-3-Clause",
    "isc license (iscl)": "ISC",
    "mit": "MIT",
    "mit license": "MIT",
    "mit-cmu": "MIT-CMU",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "mpl-2.0": "MPL-2.0",
    "psf-2.0": "PSF-2.0",
    "psfl": "PSF-2.0",
    "python software foundation license": "PSF-2.0",
}


@dataclass(frozen=True, slots=True)
class Part:
    """Something that users get, and its licence as an SPDX expression; None where nobody knows."""

    name: str
    version: str
    licence: str | None
    ecosystem: str = "pypi"
    file: str = ""


@dataclass(frozen=True, slots=True)
class Policy:
    """`licences.toml`.

    Attributes:
        allowed: SPDX identifiers.
        declared: package → expression, where its metadata do not say it; each was read by a person.
    """

    allowed: frozenset[str]
    declared: dict[str, str]

    @classmethod
    def read(cls, file: Path = DECLARED) -> Policy:
        document = tomllib.loads(file.read_text("utf-8"))
        return cls(frozenset(document["allowed"]), {name: it["licence"] for name, it in document["declared"].items()})

    def permits(self, expression: str) -> bool:
        """Whether an SPDX expression may be met with allowed licences alone."""
        tokens = re.findall(r"[()]|[^\s()]+", expression)
        position = 0

        def either() -> bool:
            nonlocal position
            found = both()
            while position < len(tokens) and tokens[position].upper() == "OR":
                position += 1
                found = both() or found
            return found

        def both() -> bool:
            nonlocal position
            found = one()
            while position < len(tokens) and tokens[position].upper() == "AND":
                position += 1
                found = one() and found
            return found

        def one() -> bool:
            nonlocal position
            if position >= len(tokens):
                raise ReleaseError(f"{expression!r} is no SPDX expression")
            token = tokens[position]
            position += 1
            if token == "(":
                found = either()
                position += 1
                return found
            if position + 1 < len(tokens) and tokens[position].upper() == "WITH":
                token = f"{token} WITH {tokens[position + 1]}"
                position += 2
            return token in self.allowed

        found = either()
        if position != len(tokens):
            raise ReleaseError(f"{expression!r} is no SPDX expression")
        return found


def licence_of(distribution: Distribution, policy: Policy) -> str | None:
    """As an SPDX expression; None where its metadata do not say it in words that are known."""
    about = distribution.metadata
    if (declared := policy.declared.get(canonicalize_name(about["Name"]))) is not None:
        return declared
    if expression := _field(distribution, "License-Expression"):
        return expression
    if (known := WORDS.get(_field(distribution, "License").strip().lower())) is not None:
        return known
    classifiers = [
        it.rpartition("::")[2].strip().lower() for it in about.get_all("Classifier") or () if "License ::" in it
    ]
    words = [WORDS.get(it) for it in classifiers]
    return " AND ".join(sorted({it for it in words if it})) if words and all(words) else None


def _field(distribution: Distribution, name: str) -> str:
    """Its first value; empty where there is none."""
    return next(iter(distribution.metadata.get_all(name) or ()), "")


def python_parts(locked: Iterable[Locked], installed: Iterable[Distribution], policy: Policy) -> Iterator[Part]:
    """Of each locked package. One that is for other systems than this takes its licence from `declared`."""
    here = {canonicalize_name(it.metadata["Name"]): it for it in installed}
    for package in locked:
        distribution = here.get(canonicalize_name(package.name))
        known = policy.declared.get(package.name) if distribution is None else licence_of(distribution, policy)
        yield Part(package.name, package.version, known)


def browser_parts(root: Path = checkout.ROOT) -> Iterator[Part]:
    """Libraries that are in the wheel as files: each folder of them has a `vendor.json` that says what is in it."""
    package = root / "connector"
    for folder in sorted(path for path in package.rglob("vendor") if path.is_dir()):
        told = folder / "vendor.json"
        if not told.is_file():
            raise ReleaseError(f"{folder.relative_to(root)} has no vendor.json: nobody knows what is in it")
        for file, about in json.loads(told.read_text("utf-8")).items():
            for name, it in about["packages"].items():
                yield Part(name, it["version"], it["license"], "npm", file)


def problems(parts: Iterable[Part], policy: Policy) -> list[str]:
    """What may not be passed on, or nobody knows of; empty where all is well."""
    found = []
    for part in parts:
        if part.licence is None:
            found.append(
                f"{part.name} {part.version} does not say its licence: read it, and declare it in {DECLARED.name}"
            )
        elif not policy.permits(part.licence):
            found.append(f"{part.name} {part.version} is under {part.licence}, which is not allowed in {DECLARED.name}")
    return sorted(set(found))
