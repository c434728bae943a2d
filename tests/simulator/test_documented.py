"""docs/simulator.md names every fake, knob and magic number."""

from __future__ import annotations

from pathlib import Path

import msgspec

from connector.tools.simulator.fake import Magic
from connector.tools.simulator.knobs import AccountKnobs, Knobs
from connector.tools.simulator.providers import PROVIDERS

TEXT = (Path(__file__).parents[2] / "docs" / "simulator.md").read_text()


def test_every_fake_and_its_first_path_is_documented() -> None:
    rows = {line.split("|")[1].strip(): line for line in TEXT.splitlines() if line.startswith("| `")}
    assert [name for name in PROVIDERS if f"`{name}`" not in rows] == []


def test_every_knob_is_documented() -> None:
    common = {field.name for field in msgspec.structs.fields(AccountKnobs)}
    names = {f"`{field.name}`" for field in msgspec.structs.fields(Knobs)} | {"`account`", "`secret`"}
    for name, fake in PROVIDERS.items():
        own = {field.name for field in msgspec.structs.fields(fake.options)} - common
        names |= {f"`{name}.{knob}`" for knob in own}
    assert [name for name in sorted(names) if name not in TEXT] == []


def test_every_magic_number_is_documented() -> None:
    assert [magic for magic in Magic if f"| `{magic.value}` | {magic.name}:" not in TEXT] == []
