"""What is written from the model: the reference page and the schema of the file."""

from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from connector.cli.config import config
from connector.settings.names import leaves
from connector.settings.reference import INTRODUCTION, reference
from connector.settings.schema import json_schema

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_the_page_in_docs_is_what_the_command_prints() -> None:
    printed = CliRunner().invoke(config, ["reference"]).output
    assert printed == reference()
    assert PAGE.read_text(encoding="utf-8") == printed, "run `sms-connector config reference > docs/configuration.md`"


def test_the_page_names_every_setting_and_variable_with_a_meaning() -> None:
    page = reference()
    for leaf in leaves():
        (row,) = [line for line in page.splitlines() if line.startswith(f"| `{leaf.name}` |")]
        name, kind, default, meaning = [cell.strip() for cell in row.strip("|").split(" | ")]
        assert kind
        assert default
        assert meaning, name
        assert f"| `{leaf.variable}` |" in page


def test_the_example_on_the_page_loads(desk) -> None:
    example = INTRODUCTION.partition("```yaml\n")[2].partition("```")[0]
    loaded = desk.load(example, environ={"KAFKA_PASSWORD": "secret"})
    assert loaded.settings.topics.sources[1].share == 0.2
    jsonschema.validate(YAML(typ="safe", pure=True).load(example), json_schema())


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"kafka": {"bootstrap.servers": ["a:1"], "security.protocol": "${PROTOCOL:-SSL}"}},
        {"topics": {"sources": ["a", {"topic": "b", "share": 0.5}], "retry_tiers": ["5s"]}},
        {"start_from": "latest", "max_age": None, "health": {"port": "${PORT}"}},
        {"memory": {"messages": 5000, "bytes": "64MiB"}, "span": 5000},
    ],
)
def test_the_schema_takes_what_the_loader_takes(settings) -> None:
    jsonschema.validate(settings, json_schema())


@pytest.mark.parametrize(
    "settings",
    [
        {"gruop": "x"},
        {"kafka": {"group.id": "x"}},
        {"wait": 5},
        {"memory": {"bytes": "64MB"}},
        {"delivery": "dry"},
        {"topics": {"sources": []}},
        {"health": {"port": 70000}},
    ],
)
def test_the_schema_refuses_what_the_loader_refuses(settings) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(settings, json_schema())


def test_the_schema_is_a_draft_2020_12_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())
