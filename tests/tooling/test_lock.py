"""The locks: complete, hashed, for wheels, and free of this or any machine's indexes."""

from __future__ import annotations

import re
import tomllib
from itertools import pairwise
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
DOCUMENT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT, GROUPS = DOCUMENT["project"], DOCUMENT["dependency-groups"]
EXTRAS = PROJECT["optional-dependencies"]

ENTRY = re.compile(
    r"^(?P<name>[a-z0-9-]+)==(?P<version>[^ ;]+)(?: ; [^\\]+)? \\\n(?P<hashes>(?: +--hash=.*\n)+)", re.MULTILINE
)


def entries(lock: str) -> dict[str, str]:
    """Name → version of every entry that carries hashes; the last one where Pythons need different ones."""
    text = (ROOT / "requirements" / lock).read_text()
    found = list(ENTRY.finditer(text))
    assert len(found) == len(re.findall(r"^[a-z]", text, re.MULTILINE)), "an entry without hashes"
    return {match["name"]: match["version"] for match in found}


def wanted(*extras: str) -> list[Requirement]:
    lines = [*PROJECT["dependencies"], *(line for extra in extras for line in EXTRAS[extra])]
    requirements = [Requirement(line) for line in lines]
    return [requirement for requirement in requirements if requirement.name != PROJECT["name"]]


@pytest.mark.parametrize(
    ("lock", "extras"),
    [
        ("run.lock", ()),
        ("full.lock", ("aws", "formats", "msk", "otel", "receipts")),
        ("extras.lock", tuple(EXTRAS.keys() - {"test"})),
        ("test.lock", ("demo", "aws", "plot", "otel", "test")),
    ],
)
def test_every_dependency_is_locked_at_a_version_that_satisfies_it(lock: str, extras: tuple[str, ...]) -> None:
    """Fails after a change of pyproject.toml: run `make lock`."""
    versions = entries(lock)
    for requirement in wanted(*extras):
        assert versions[canonicalize_name(requirement.name)] in requirement.specifier, requirement


def test_the_locks_agree() -> None:
    grows = [entries(f"{name}.lock").items() for name in ("run", "full", "extras", "test")]
    assert all(smaller <= larger for smaller, larger in pairwise(grows))
    assert entries("docs.lock").items() <= grows[-1]


def test_what_builds_the_site_is_locked_and_nothing_of_the_project_with_it() -> None:
    versions = entries("docs.lock")
    for requirement in map(Requirement, GROUPS["docs"]):
        assert versions[canonicalize_name(requirement.name)] in requirement.specifier
    assert "faust-streaming" not in versions


@pytest.mark.parametrize("lock", ["run.lock", "full.lock", "extras.lock", "test.lock", "docs.lock"])
def test_no_index_host_or_path_stands_in_a_lock(lock: str) -> None:
    text = (ROOT / "requirements" / lock).read_text()
    assert not re.search(r"://|--(?:index|extra|find|trusted)|\bfile:|@ ", text)


def test_what_only_tests_need_is_not_in_the_image() -> None:
    left_out = {
        "pytest",
        "ruff",
        "mypy",
        "confluent-kafka",
        "testcontainers",
        "setuptools",
        "matplotlib",
        "numpy",
        "mkdocs",
    }
    assert not left_out & entries("full.lock").keys()
    assert not {"botocore", "opentelemetry-sdk", "protobuf"} & entries("run.lock").keys()
