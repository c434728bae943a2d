"""The locks: complete, hashed, for wheels, and free of this or any machine's indexes."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
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
        ("full.lock", ("aws", "otel", "receipts")),
        ("test.lock", ("demo", "aws", "plot", "otel", "test")),
    ],
)
def test_every_dependency_is_locked_at_a_version_that_satisfies_it(lock: str, extras: tuple[str, ...]) -> None:
    """Fails after a change of pyproject.toml: run `make lock`."""
    versions = entries(lock)
    for requirement in wanted(*extras):
        assert versions[canonicalize_name(requirement.name)] in requirement.specifier, requirement


def test_the_locks_agree() -> None:
    assert entries("run.lock").items() <= entries("full.lock").items() <= entries("test.lock").items()


@pytest.mark.parametrize("lock", ["run.lock", "full.lock", "test.lock"])
def test_no_index_host_or_path_stands_in_a_lock(lock: str) -> None:
    text = (ROOT / "requirements" / lock).read_text()
    assert not re.search(r"://|--(?:index|extra|find|trusted)|\bfile:|@ ", text)


def test_what_only_tests_need_is_not_in_the_image() -> None:
    left_out = {"pytest", "ruff", "mypy", "confluent-kafka", "testcontainers", "setuptools", "matplotlib", "numpy"}
    assert not left_out & entries("full.lock").keys()
    assert not {"botocore", "opentelemetry-sdk", "protobuf"} & entries("run.lock").keys()
