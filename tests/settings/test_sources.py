"""Flags beat the environment, it beats the file, the file beats defaults; every value says which it was."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from connector.settings.names import leaves


def test_without_any_source_every_value_is_its_default(desk) -> None:
    loaded = desk.load()
    assert loaded.settings.topics.source_names == ("sms.messages",)
    assert loaded.settings.start_from is None
    assert {str(origin) for origin in loaded.origins.values()} == {"default"}


@pytest.mark.parametrize(
    ("environ", "overrides", "value", "kind"),
    [
        ({}, {}, "file", "file"),
        ({"SMS_CONNECTOR_GROUP": "environment"}, {}, "environment", "environment"),
        ({"SMS_CONNECTOR_GROUP": "environment"}, {"group": "flag"}, "flag", "flag"),
        ({"SMS_CONNECTOR_GROUP": ""}, {"group": None}, "file", "file"),  # empty and None say nothing
    ],
)
def test_the_nearest_source_wins(desk, environ, overrides, value, kind) -> None:
    loaded = desk.load("group: file\n", environ=environ, overrides=overrides)
    assert loaded.settings.group == value
    assert loaded.origins["group"].kind == kind


def test_sections_are_merged_and_lists_replaced(desk) -> None:
    loaded = desk.load(
        "timeouts:\n  session: 15s\n  drain: 35s\nproviders: [a.yaml, b.yaml]\n",
        environ={"SMS_CONNECTOR_TIMEOUTS__SESSION": "10s", "SMS_CONNECTOR_PROVIDERS": "c.yaml"},
    )
    assert loaded.settings.timeouts.session == 10
    assert loaded.settings.timeouts.drain == 35
    assert loaded.settings.providers == ("c.yaml",)
    assert str(loaded.origins["timeouts.drain"]) == f"{desk.file}:3"
    assert str(loaded.origins["providers"]) == "SMS_CONNECTOR_PROVIDERS"


def test_an_origin_in_the_file_names_line_and_column(desk) -> None:
    origin = desk.load("group: x\nmemory: {messages: 5000}\n").origins["memory.messages"]
    assert (origin.name, origin.line, origin.column) == (str(desk.file), 2, 10)


def test_kafka_names_stand_in_the_environment_with_underscores(desk) -> None:
    loaded = desk.load(environ={"SMS_CONNECTOR_KAFKA__BOOTSTRAP_SERVERS": "a:1,b:2"})
    assert loaded.settings.kafka.servers == ("a:1", "b:2")


def test_every_setting_has_a_variable_of_its_own() -> None:
    variables = [leaf.variable for leaf in leaves()]
    assert len(set(variables)) == len(variables)
    assert "SMS_CONNECTOR_KAFKA__SSL_ENDPOINT_IDENTIFICATION_ALGORITHM" in variables


@pytest.mark.parametrize("text", ["a, b", "[a, b]", '["a", "b"]'])
def test_a_list_in_the_environment_is_separated_by_commas_or_written_as_a_list(desk, text) -> None:
    assert desk.load(environ={"SMS_CONNECTOR_PROVIDERS": text}).settings.providers == ("a", "b")


def test_sources_may_be_names_or_names_with_shares(desk) -> None:
    by_name = desk.load(environ={"SMS_CONNECTOR_TOPICS__SOURCES": "a,b"}).settings.topics
    assert by_name.source_names == ("a", "b")
    with_share = desk.load(environ={"SMS_CONNECTOR_TOPICS__SOURCES": "[a, {topic: b, share: 0.2}]"}).settings.topics
    assert [source.share for source in with_share.sources] == [0, 0.2]


def test_null_in_the_environment_means_none(desk) -> None:
    assert desk.load(environ={"SMS_CONNECTOR_HEALTH__PORT": "null"}).settings.health.port is None


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_a_secret_can_stand_in_a_file_of_its_own(desk, tmp_path: Path, ending) -> None:
    secret = tmp_path / "salt"
    secret.write_bytes(b"0123456789abcdef" + ending.encode())
    loaded = desk.load(environ={"SMS_CONNECTOR_RESULTS__SALT_FILE": str(secret)})
    assert loaded.settings.results.salt.get_secret_value() == "0123456789abcdef"
    assert str(loaded.origins["results.salt"]) == "SMS_CONNECTOR_RESULTS__SALT_FILE"


def test_placeholders_are_filled_from_environment_and_files(desk, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("from file\n")
    loaded = desk.load(
        "group: g-${STAGE}-${REGION:-eu}\nkafka:\n  security.protocol: SASL_SSL\n  sasl.mechanism: PLAIN\n"
        "  sasl.username: ${USER_NAME}\n  sasl.password: ${file:password}\n",
        environ={"STAGE": "test", "USER_NAME": "me"},
    )
    assert loaded.settings.group == "g-test-eu"
    assert loaded.settings.kafka.sasl_password.get_secret_value() == "from file"
    assert loaded.origins["kafka.sasl.password"].placeholder == "${file:password}"


def test_an_optional_placeholder_without_a_value_leaves_the_setting_out(desk) -> None:
    text = "group: ${GROUP?}\nproviders: [a, '${MORE?}']\nstatic_membership: ${HOSTNAME?}\n"
    loaded = desk.load(text, environ={"HOSTNAME": "worker-0"})
    assert (loaded.settings.group, loaded.settings.providers) == ("sms-connector", ("a",))
    assert loaded.settings.static_membership == "worker-0"


def test_a_placeholder_with_a_default_is_not_shown_for_a_secret(desk) -> None:
    loaded = desk.load("results: {salt: '${SALT:-0123456789abcdef}'}")
    assert loaded.origins["results.salt"].placeholder is None


@pytest.mark.parametrize("value", ["NO", "21:00", "1e3", "true", "1.10", "2025-01-31", "'040'"])
def test_plain_text_stays_the_text_that_was_written(desk, value) -> None:
    assert desk.load(f"group: {value}").settings.group == value.strip("'")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("earliest", "earliest"),
        ("latest", "latest"),
        ("null", None),
        ("2025-01-31T08:00:00Z", datetime(2025, 1, 31, 8, tzinfo=UTC)),
        ("2025-01-31T08:00:00+05:30", datetime(2025, 1, 31, 2, 30, tzinfo=UTC)),
    ],
)
def test_start_from_is_a_word_a_time_or_nothing(desk, text, value) -> None:
    assert desk.load(f"start_from: {text}").settings.start_from == value


def test_an_empty_file_and_an_empty_section_say_nothing(desk) -> None:
    assert desk.load("").settings == desk.load("kafka:\ntopics:\n# nothing\n").settings == desk.load().settings


def test_a_settings_object_shows_no_secret(desk) -> None:
    loaded = desk.load("results: {to: hashed, salt: 0123456789abcdef}")
    assert "0123456789abcdef" not in repr(loaded)
    assert loaded.settings.secrets() == ["0123456789abcdef"]


@pytest.mark.parametrize(
    ("text", "sources", "told"),
    [
        ("console: {port: 9}", {}, "{file}:1:1: console: is called health now"),
        (None, {"environ": {"SMS_CONNECTOR_CONSOLE__PORT": "9"}}, "is called SMS_CONNECTOR_HEALTH__PORT now"),
        (None, {"overrides": {"console.port": "9"}}, "--set console.port: console.port: is called health.port now"),
    ],
)
def test_an_earlier_name_is_read_with_a_warning(desk, text, sources, told) -> None:
    loaded = desk.load(text, **sources)
    assert loaded.settings.health.port == 9
    assert [told.format(file=desk.file) in str(warning) for warning in loaded.warnings] == [True]
    assert str(loaded.origins["health.port"]) != "default"


def test_a_present_name_wins_over_an_earlier_one_of_a_lower_source(desk) -> None:
    assert desk.load("console: {port: 9}", environ={"SMS_CONNECTOR_HEALTH__PORT": "10"}).settings.health.port == 10
    assert desk.load("health: {port: 9}", environ={"SMS_CONNECTOR_CONSOLE__PORT": "10"}).settings.health.port == 10


@pytest.mark.parametrize(
    ("text", "sources"),
    [
        ("console: {port: 9}\nhealth: {host: a}", {}),
        (None, {"environ": {"SMS_CONNECTOR_CONSOLE__PORT": "9", "SMS_CONNECTOR_HEALTH__PORT": "8"}}),
        (None, {"overrides": {"console.port": "9", "health.port": "8"}}),
    ],
)
def test_both_names_in_one_source_are_one_too_many(desk, text, sources) -> None:
    assert "console" in str(desk.problem(text, **sources)).lower()


def test_a_mistake_below_an_earlier_name_is_told_where_it_stands(desk) -> None:
    problem = desk.problem("console:\n  prot: 9\n")
    assert (problem.line, problem.path) == (2, "health.prot")
