"""What is in `schemas/` is what the types say, and valid by the standards it names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from connector.cli.main import group
from connector.cli.schemas import documents, encode
from connector.cli.schemas.asyncapi import ERRORS, asyncapi
from connector.cli.schemas.event_schemas import EXAMPLES, SUFFIX
from connector.kafka.topic_plan import plan
from connector.model import Message, Priority, Result, Status
from connector.settings.model import Topics
from connector.stream.output import journal
from connector.stream.partitions.formats import SETTLES, settles

REPOSITORY = Path(__file__).parents[2]
OFFICIAL = json.loads(Path(__file__).with_name("asyncapi-3.0.0.json").read_text(encoding="utf-8"))


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(group, ["schemas", *arguments], standalone_mode=False, catch_exceptions=False)
    return result.return_value, result.output


@pytest.mark.parametrize("name", documents())
def test_the_file_in_the_repository_is_what_the_types_say(name) -> None:
    assert (REPOSITORY / "schemas" / name).read_bytes() == encode(documents()[name]), "run `sms-connector schemas`"


def test_check_tells_missing_and_stale_files_and_writing_mends_them(tmp_path) -> None:
    folder = tmp_path / "out"
    assert run(str(folder), "--check")[0] == 1
    assert run(str(folder))[0] == 0
    assert run(str(folder), "--check") == (0, "")
    (folder / "asyncapi.json").write_text("{}")
    (folder / "message.schema.json").unlink()
    code, told = run(str(folder), "--check")
    assert code == 1
    assert [line.partition(";")[0].rpartition("/")[2] for line in told.splitlines()] == [
        "message.schema.json is missing",
        "asyncapi.json is stale",
    ]


@pytest.mark.parametrize("name", [name for name in documents() if name.endswith(".schema.json")])
def test_each_schema_is_valid_draft_2020_12_with_an_id_and_a_title(name) -> None:
    schema = documents()[name]
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"].startswith("urn:sms-connector:schema:")
    assert schema["title"]
    jsonschema.Draft202012Validator.check_schema(schema)


# ---- events ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", EXAMPLES)
def test_examples_are_valid_and_are_what_the_program_reads(kind) -> None:
    schema = documents()[f"{kind.__name__.removesuffix(SUFFIX).lower()}.schema.json"]
    for example in EXAMPLES[kind]:
        jsonschema.validate(example, schema, format_checker=jsonschema.FormatChecker())
        msgspec.convert(example, kind)


MINIMAL = {"message_id": "1", "to": "+919812345678"}


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"unknown": 1},
        {"template_variables": ["a", 1]},
        {"template_variables": {"a": 1}},
        {"priority": "high"},
        {"provider": None},
        {"message_id": ""},
        {"message_id": "x" * 129},
        {"message_id": 1},
        {"to": "abc"},
        {"to": "+0123456"},
        {"to": None},
        {"template_variables": "a"},
        {"custom": []},
        {"priority": "low"},
        {"campaign_id": "x" * 257},
        {"body": 1},
    ],
    ids=str,
)
def test_the_schema_and_the_program_agree_on_what_a_message_is(change) -> None:
    event = MINIMAL | change
    valid = jsonschema.Draft202012Validator(documents()["message.schema.json"]).is_valid(event)
    try:
        msgspec.json.decode(json.dumps(event), type=Message)
        readable = True
    except msgspec.ValidationError:
        readable = False
    assert valid is readable


def test_schemas_name_every_status_and_priority_and_define_nothing_they_do_not_use() -> None:
    result, message = documents()["result.schema.json"], documents()["message.schema.json"]
    assert set(result["$defs"]) == {"Source", "Status"}
    assert set(result["$defs"]["Status"]["enum"]) == set(Status)
    assert set(message["$defs"]) == {"Priority"}
    assert set(message["$defs"]["Priority"]["enum"]) == set(Priority)


# ---- definitions ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", sorted((REPOSITORY / "connector" / "providers").glob("*.yaml")), ids=lambda f: f.stem)
def test_every_definition_of_the_catalogue_fits_the_schema(file) -> None:
    definition = YAML(typ="safe", pure=True).load(file)
    jsonschema.validate(definition, documents()["provider.schema.json"])


# ---- AsyncAPI -------------------------------------------------------------------------------------------------------


def official_problems(document: dict[str, Any]) -> list[str]:
    return [error.message for error in jsonschema.Draft7Validator(OFFICIAL).iter_errors(document)]


def test_the_asyncapi_document_fits_the_official_schema() -> None:
    assert official_problems(asyncapi()) == []


@pytest.mark.parametrize(
    "breakage",
    [
        {"asyncapi": "2.6.0"},
        {"info": {"title": "x"}},
        {"channels": {"results": {"addres": "x"}}},
        {"operations": {"x": {"action": "publish", "channel": {"$ref": "#/channels/results"}}}},
    ],
    ids=str,
)
def test_the_official_schema_is_really_applied(breakage) -> None:
    assert official_problems(asyncapi() | breakage)


def test_every_reference_in_the_document_leads_somewhere() -> None:
    document = asyncapi()

    def follow(node: Any) -> None:
        if isinstance(node, list):
            for item in node:
                follow(item)
        elif isinstance(node, dict):
            if "$ref" in node:
                target: Any = document
                for part in node["$ref"].removeprefix("#/").split("/"):
                    target = target[part]
            for item in node.values():
                follow(item)

    follow(document)


def test_every_topic_that_is_written_or_read_has_a_channel_with_its_configuration() -> None:
    channels = {channel["address"]: channel for channel in asyncapi()["channels"].values()}
    for topic in plan(Topics(), {}, replication=3).topics:
        if topic.role in {"control", "receipts"}:
            continue
        address = "sms.retry.{delay}" if topic.role == "retry" else topic.name
        configuration = channels[address]["bindings"]["kafka"]["topicConfiguration"]
        assert {name: str(value) for name, value in configuration.items() if name != "cleanup.policy"} == {
            name: value for name, value in topic.configs.items() if name != "cleanup.policy"
        }
    assert channels["sms.retry.{delay}"]["parameters"]["delay"]["enum"] == ["5s", "30s", "5m", "1h"]


def component(name: str) -> dict[str, Any]:
    schemas = asyncapi()["components"]["schemas"]
    return {**schemas[name], "components": {"schemas": schemas}}


def test_headers_are_those_that_are_written() -> None:
    header = settles("sms.messages", 3, 1042).decode()
    jsonschema.validate({SETTLES: header}, component("SettlesHeaders"))
    jsonschema.validate({SETTLES: header, **dict.fromkeys(ERRORS, "x")}, component("DeadLetterHeaders"))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({SETTLES: "nonsense"}, component("SettlesHeaders"))


@pytest.mark.parametrize("word", ["sent", "released"])
def test_journal_records_fit_their_schema(word) -> None:
    value = journal.encode(journal.Entry(word, "sms.messages", [1, 2], "batch" if word == "sent" else ""))
    jsonschema.validate(json.loads(value), component("Journal"))


def test_examples_in_the_document_fit_their_payloads() -> None:
    for name, kind in (("Message", Message), ("Result", Result)):
        for example in asyncapi()["components"]["messages"][name]["examples"]:
            jsonschema.validate(example["payload"], component(kind.__name__))
