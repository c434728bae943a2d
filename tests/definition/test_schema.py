"""The JSON Schema: sound, complete, and of one mind with the loader about what it can express."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from connector.definition.keys import DEFINITION, OPERATION
from connector.definition.schema import json_schema
from connector.definition.shape import Kinds, ListOf, Record, Shape

from .test_checks import ERRORS
from .write import FIXTURES, SOUND, problems_of

VALIDATOR = jsonschema.Draft202012Validator(json_schema())


def parsed(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())


@pytest.mark.parametrize("file", sorted(FIXTURES.glob("*.yaml")), ids=lambda file: file.stem)
def test_every_draft_fits(file: Path) -> None:
    VALIDATOR.validate(parsed(file.read_text()))


@pytest.mark.parametrize(
    "number", [n for n, row in enumerate(ERRORS) if "not known; did you mean" in row[3] or "from 1 to 1,000" in row[3]]
)
def test_unknown_keys_and_numbers_out_of_range_do_not_fit(number: int) -> None:
    old, new, _, _ = ERRORS[number]
    assert not VALIDATOR.is_valid(parsed(SOUND.replace(old, new)))


def every_key(shape: Shape) -> list[Any]:
    keys: list[Any] = []
    if isinstance(shape, Record | Kinds):
        for key in shape.keys.values():
            keys += [key, *every_key(key.shape)]
    elif isinstance(shape, ListOf):
        keys += every_key(shape.shape)
    elif hasattr(shape, "record"):
        keys += every_key(shape.record)
    return keys


def test_every_key_says_what_it_means() -> None:
    for key in [*every_key(DEFINITION), *every_key(OPERATION)]:
        assert key.about.endswith("."), key.name


@pytest.mark.parametrize(
    "key", [key for key in every_key(DEFINITION) if key.example is not None], ids=lambda key: key.name
)
def test_every_example_fits_its_own_schema(key: Any) -> None:
    jsonschema.Draft202012Validator(key.shape.schema()).validate(key.example)


def test_null_takes_away_an_inherited_key(tmp_path: Path) -> None:
    text = SOUND + "operations: [{name: a, response: null}]\nhours: null\n"
    VALIDATOR.validate(parsed(text))
    errors, warnings = problems_of(tmp_path, text)
    assert errors == []
    assert [warning.partition(",")[0] for warning in warnings] == [
        "acme.yaml:14:14: operations[0]: `response` is missing"
    ]
