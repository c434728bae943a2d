"""docs/simulator.md names every fake, knob and magic number."""

from __future__ import annotations

from pathlib import Path

import msgspec

from connector.tools.simulator.fake import Magic
from connector.tools.simulator.knobs import AccountKnobs, Knobs
from connector.tools.simulator.providers import PROVIDERS
from connector.tools.simulator.receipts.fate import Fate
from connector.tools.simulator.receipts.receipt_knobs import ReceiptKnobs

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


def test_every_knob_of_receipts_is_documented() -> None:
    common = {field.name for field in msgspec.structs.fields(ReceiptKnobs)}
    names = {f"`{name}`" for name in common}
    for name, fake in PROVIDERS.items():
        own = {field.name for field in msgspec.structs.fields(type(fake.options().receipts))} - common
        names |= {f"`{name}.receipts.{knob}`" for knob in own}
    section = TEXT[TEXT.index("## Receipts") :]
    assert [name for name in sorted(names) if name not in section] == []


def test_every_fake_that_reports_is_documented_with_what_it_sends() -> None:
    section = TEXT[TEXT.index("## Receipts") :]
    rows = {name for line in section.splitlines() if line.startswith("| `") for name in line.split("|")[1].split(", ")}
    reporting = {f"`{name}`" for name, fake in PROVIDERS.items() if fake.reports is not None}
    assert reporting - {name.strip() for name in rows} == set()


def test_every_fate_is_documented() -> None:
    assert [fate for fate in Fate if f"| `{fate.value}xx` | " not in TEXT] == []


def test_every_magic_number_is_documented() -> None:
    assert [magic for magic in Magic if f"| `{magic.value}` | {magic.name}:" not in TEXT] == []
