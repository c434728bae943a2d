"""What `make release` says no to. The whole of it runs in CI; here is everything that needs no empty environment."""

from __future__ import annotations

import json
import subprocess
import tarfile
import zipfile
from importlib.metadata import distributions
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from release import ReleaseError, checkout, licences, locks, sbom
from release.build import built_twice, digest, wheel_problems
from release.licences import Part, Policy

ROOT = checkout.ROOT
POLICY = Policy.read()


def parts() -> list[Part]:
    packages, _ = locks.shipped()
    return [*licences.python_parts(packages, distributions(), POLICY), *licences.browser_parts()]


def bom() -> dict[str, object]:
    packages, needed = locks.shipped()
    return sbom.document(parts(), packages, needed=needed, direct=locks.direct())


@pytest.mark.timeout(400)  # six seconds of CPU, and thousands of small files
def test_wheel_and_sdist_are_built_twice_alike_and_the_wheel_is_the_package(tmp_path: Path) -> None:
    built = built_twice(tmp_path)
    assert wheel_problems(built.wheel) == []
    with zipfile.ZipFile(built.wheel) as archive:
        names = archive.namelist()
        assert "connector/providers/plivo.yaml" in names
        assert "connector/py.typed" in names
        assert not [name for name in names if name.split("/")[0] in {"tests", "bench", "release", "docs"}]
    with tarfile.open(built.sdist) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "connector/providers/plivo.yaml"} <= inside


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda names: names - {"connector/providers/plivo.yaml"}, "lacks connector/providers/plivo.yaml"),
        (lambda names: names | {"tests/conftest.py"}, "holds tests/conftest.py"),
        (lambda names: names | {"connector/left_over.py"}, "holds connector/left_over.py"),
        (lambda names: {name for name in names if not name.endswith("LICENSE")}, "lacks licenses/LICENSE"),
    ],
)
def test_a_wheel_that_lacks_a_file_or_has_one_too_many_is_noticed(tmp_path: Path, change, said) -> None:
    about = {f"kafka_sms_connector-1.dist-info/{name}" for name in ("METADATA", "entry_points.txt", "licenses/LICENSE")}
    names = about | {str(path) for path in checkout.tracked() if path.parts[0] == "connector"}
    wheel = tmp_path / "it.whl"
    for given, expected in ((names, ""), (change(names), said)):
        with zipfile.ZipFile(wheel, "w") as archive:
            for name in given:
                archive.writestr(name, b"")
        problems = "; ".join(wheel_problems(wheel))
        assert expected in problems
        assert bool(problems) is bool(expected)


def test_everything_that_users_get_may_be_passed_on() -> None:
    assert licences.problems(parts(), POLICY) == []


@pytest.mark.parametrize(
    ("expression", "permitted"),
    [
        ("MIT", True),
        ("GPL-3.0-only", False),
        ("GPL-2.0-only OR MIT", True),
        ("MIT AND GPL-2.0-only", False),
        ("MPL-2.0 AND (Apache-2.0 OR MIT)", True),
        ("MIT AND (GPL-3.0-only OR AGPL-3.0-only)", False),
        ("Apache-2.0 WITH LLVM-exception", False),
        ("(MIT)", True),
        ("GPL-3.0-only OR MIT AND SSPL-1.0", False),
        ("LicenseRef-Proprietary", False),
    ],
)
def test_an_expression_is_permitted_where_allowed_licences_alone_meet_it(expression: str, permitted: bool) -> None:
    assert POLICY.permits(expression) is permitted


@pytest.mark.parametrize("expression", ["", "MIT AND", "MIT Apache-2.0", "MIT OR"])
def test_what_is_no_expression_is_no_permission(expression: str) -> None:
    with pytest.raises(ReleaseError, match="no SPDX expression"):
        POLICY.permits(expression)


@pytest.mark.parametrize(
    ("part", "said"),
    [
        (Part("leech", "1.0", "GPL-3.0-only"), "leech 1.0 is under GPL-3.0-only"),
        (Part("silent", "2.0", None), "silent 2.0 does not say its licence"),
        (Part("@x/y", "3", "SSPL-1.0", "npm", "y.js"), "@x/y 3 is under SSPL-1.0"),
    ],
)
def test_a_licence_that_is_not_allowed_or_not_known_stops_the_release(part: Part, said: str) -> None:
    (problem,) = licences.problems([part, Part("good", "1", "MIT")], POLICY)
    assert said in problem


def test_every_declared_licence_is_of_a_package_that_is_shipped() -> None:
    packages, _ = locks.shipped()
    assert set(POLICY.declared) <= {it.name for it in packages}


def test_a_folder_of_browser_libraries_that_says_nothing_of_them_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "connector" / "web" / "vendor").mkdir(parents=True)
    with pytest.raises(ReleaseError, match=r"no vendor\.json"):
        list(licences.browser_parts(tmp_path))


def test_the_sbom_is_valid_and_names_every_locked_package_and_browser_library() -> None:
    document = bom()
    text = sbom.encode(document)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    named = {(it["name"], it["version"]) for it in json.loads(text)["components"]}
    packages, _ = locks.shipped()
    assert named == {(it.name, it.version) for it in packages} | {(it.name, it.version) for it in parts()}
    assert {it["name"] for it in json.loads(text)["components"] if it["scope"] == "required"} >= {
        it.name for it in locks.read(ROOT / "requirements" / "run.lock")
    }
    assert sbom.encode(bom()) == text


def test_the_sbom_leads_from_the_project_to_every_component() -> None:
    document = json.loads(sbom.encode(bom()))
    asks = {it["ref"]: it["dependsOn"] for it in document["dependencies"]}
    reached, todo = set(), [document["metadata"]["component"]["bom-ref"]]
    while todo:
        if (at := todo.pop()) not in reached:
            reached.add(at)
            todo += asks[at]
    assert reached == set(asks)


def test_the_lock_of_all_extras_has_what_the_image_has_and_no_tests() -> None:
    entries = {(it.name, it.version) for it in locks.read(ROOT / "requirements" / "extras.lock")}
    for name, other in (("full.lock", entries), ("extras.lock", None)):
        found = {(it.name, it.version) for it in locks.read(ROOT / "requirements" / name)}
        tested = {(it.name, it.version) for it in locks.read(ROOT / "requirements" / "test.lock")}
        assert found <= (tested if other is None else other)
    assert not {"pytest", "ruff", "mypy", "mkdocs"} & {name for name, _ in entries}


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A repository of one commit, with the least that is looked at."""
    folder = tmp_path / "clone"
    folder.mkdir()
    (folder / "CHANGELOG.md").write_text("# Changelog\n\n## Unreleased\n\n## 0.1.0\n")
    for command in (
        ["init", "-q"],
        ["add", "."],
        ["-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-q", "-m", "One"],
    ):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return folder


def test_what_is_not_committed_is_not_released(clone: Path) -> None:
    checkout.must_be_committed(clone)
    (clone / "CHANGELOG.md").write_text("# Changelog\n")
    with pytest.raises(ReleaseError, match=r"1 files are not committed, CHANGELOG\.md among them"):
        checkout.must_be_committed(clone)


@pytest.mark.parametrize(("version", "told"), [("0.1.0", True), ("0.3.0.dev0", True), ("0.2.0", False)])
def test_a_version_that_the_changelog_does_not_tell_of_is_not_released(clone: Path, version: str, told: bool) -> None:
    if told:
        checkout.must_be_told_of(version, clone)
        return
    with pytest.raises(ReleaseError, match=r"no section `## 0\.2\.0`"):
        checkout.must_be_told_of(version, clone)


def test_what_is_no_clone_is_not_released(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(ReleaseError, match="a release is built in a clone"):
        checkout.must_be_committed(tmp_path)


def test_a_digest_is_what_sha256sum_prints(tmp_path: Path) -> None:
    (tmp_path / "it").write_bytes(b"abc")
    assert digest(tmp_path / "it") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
