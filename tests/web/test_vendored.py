"""The libraries of the pages are those that `vendor/` names, byte for byte, and may be passed on."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "connector" / "web" / "static" / "vendor"
FREE = {"MIT", "Apache-2.0"}


def test_each_file_is_what_was_written_down_when_it_was_made() -> None:
    told = json.loads((FOLDER / "vendor.json").read_text())
    there = {path.name for path in FOLDER.iterdir()} - {"vendor.json", "LICENSES.txt"}
    assert there == set(told)
    for name, about in told.items():
        digest = hashlib.sha256((FOLDER / name).read_bytes()).hexdigest()
        assert digest == about["sha256"], f"{name} was changed by hand: `make vendor` makes it again"


def test_each_package_has_the_version_that_is_locked_and_a_licence_that_lets_us_pass_it_on() -> None:
    lock = json.loads((ROOT / "vendor" / "package-lock.json").read_text())["packages"]
    licences = (FOLDER / "LICENSES.txt").read_text()
    for about in json.loads((FOLDER / "vendor.json").read_text()).values():
        for name, package in about["packages"].items():
            assert lock[f"node_modules/{name}"]["version"] == package["version"]
            assert package["license"] in FREE
            assert f"{name} {package['version']}, {package['license']}\n\n" in licences


def test_nothing_in_them_makes_code_of_text() -> None:
    for path in FOLDER.glob("*.js"):
        text = path.read_text("utf-8")
        assert "new Function(" not in text, path.name
        assert "eval(" not in text, path.name
