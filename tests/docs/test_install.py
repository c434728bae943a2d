"""docs/install.md says what the project says of itself."""

from __future__ import annotations

import re

from release import checkout, locks
from tests.tooling.pages import ROOT

TEXT = (ROOT / "docs" / "install.md").read_text("utf-8")


def test_every_extra_is_in_the_table() -> None:
    assert set(re.findall(r"^\| `([a-z]+)` \|", TEXT, re.MULTILINE)) == set(locks.extras_for_users())


def test_the_pythons_are_those_of_the_package() -> None:
    oldest, beyond = re.findall(r"3\.(\d+)", checkout.project()["requires-python"])
    assert f"Python 3.{oldest} to 3.{int(beyond) - 1}" in TEXT


def test_the_pin_that_asks_for_an_environment_is_named() -> None:
    (pin,) = (line for line in checkout.project()["dependencies"] if line.startswith("faust-streaming"))
    assert f"`{pin}`" in TEXT
