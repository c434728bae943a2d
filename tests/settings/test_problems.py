"""Every problem is told at once, each with its place, the value as it may be shown, and a remedy."""

from pathlib import Path

import pytest

from connector.errors import SettingsError
from connector.settings import load_settings


def test_all_problems_of_all_sources_come_at_once_in_the_order_of_the_file(desk) -> None:
    problems = desk.problems(
        "gruop: x\nmemory:\n  bytes: 64MB\ntimeouts:\n  drain: 55s\n",
        environ={"SMS_CONNECTOR_WAIT": "1"},
        overrides={"spam": "1"},
    )
    places = [(problem.file.rpartition("/")[2], problem.line, problem.path) for problem in problems]
    assert places == [
        ("--set spam", None, ""),
        ("connector.yaml", 1, "gruop"),
        ("connector.yaml", 3, "memory.bytes"),
        ("connector.yaml", 5, "timeouts.drain"),
        ("SMS_CONNECTOR_WAIT", None, "wait"),
    ]
    assert all(problem.remedy for problem in problems)


@pytest.mark.parametrize(
    ("text", "path", "remedy"),
    [
        ("gruop: x", "gruop", "did you mean group?"),
        ("kafka: {bootstrap.server: a:1}", "kafka.bootstrap.server", "did you mean bootstrap.servers?"),
        ("kafka: {bootstrap_servers: a:1}", "kafka.bootstrap_servers", "did you mean bootstrap.servers?"),
        ("kafka: {group.id: x}", "kafka.group.id", "use `group`"),
        ("kafka: {sasl.mechanisms: PLAIN}", "kafka.sasl.mechanisms", "write `sasl.mechanism`"),
        ("session: 5s", "session", "did you mean timeouts.session?"),
        ("topics: {sources: [{topic: a, shar: 1}]}", "topics.sources[0].shar", "did you mean share?"),
        ("log: {zzz: 1}", "log.zzz", "possible here: format, level"),
    ],
)
def test_an_unknown_name_in_the_file_gets_the_nearest_known_one(desk, text, path, remedy) -> None:
    problem = desk.problem(text)
    assert (problem.path, problem.message, problem.remedy) == (path, "there is no such setting", remedy)
    assert (problem.file, problem.line) == (str(desk.file), 1)


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("SMS_CONNECTOR_GRUOP", "did you mean SMS_CONNECTOR_GROUP?"),
        ("SMS_CONNECTOR_KAFKA_BOOTSTRAP_SERVERS", "did you mean SMS_CONNECTOR_KAFKA__BOOTSTRAP_SERVERS?"),
        ("SMS_CONNECTOR_GROUP_FILE", "use SMS_CONNECTOR_GROUP"),
    ],
)
def test_an_unknown_variable_with_our_prefix_is_an_error(desk, name, remedy) -> None:
    problem = desk.problem(environ={name: "x"})
    assert (problem.file, problem.remedy) == (name, remedy)


def test_the_variable_that_names_the_file_is_not_a_setting(desk) -> None:
    desk.load(environ={"SMS_CONNECTOR_CONFIG": "connector.yaml", "PATH": "/bin"})


def test_a_wrong_flag_gets_the_nearest_known_one(desk) -> None:
    assert desk.problem(overrides={"kafka.bootstrap": "x"}).remedy == "did you mean kafka.bootstrap.servers?"


@pytest.mark.parametrize(
    ("text", "path", "message"),
    [
        ("span: many", "span", "'many' is not a number"),
        ("span: 5", "span", "'5' does not fit"),
        ("wait: 5", "wait", "'5' is not a duration"),
        ("memory: {bytes: 64MB}", "memory.bytes", "'64MB' is not a size"),
        ("delivery: dry", "delivery", "'dry' is not possible"),
        ("topics: []", "topics", "must be a mapping of names to values"),
        ("providers: a.yaml", "providers", "must be a list"),
        ("topics: {sources: []}", "topics.sources", "[] does not fit"),
        ("topics: {sources: [{share: 0.1}]}", "topics.sources[0].topic", "is missing"),
        ("topics: {results: 'a b'}", "topics.results", "'a b' does not fit"),
        ("start_from: yesterday", "start_from", "'yesterday' is neither earliest, latest nor a time"),
        ("start_from: 2025-01-31T08:00:00", "start_from", "'2025-01-31T08:00:00' is a time without a zone"),
        ("recipients: {allow: [+91*, abc]}", "recipients.allow[1]", "'abc' is not a number or prefix"),
        ("kafka: {bootstrap.servers: 'http://a:1'}", "kafka.bootstrap.servers", "'http://a:1' is not host:port"),
        ("kafka: {bootstrap.servers: [a:1, b]}", "kafka.bootstrap.servers", "['a:1', 'b'] is not host:port"),
        ("kafka: {sasl.mechanism: GSSAPI}", "kafka.sasl.mechanism", "'GSSAPI' is not supported"),
        ("group: ${NOBODY}", "group", "the environment variable NOBODY is not set"),
        ("group: ${file:nobody}", "group", "the file "),
        ("group: '${a b}'", "group", "`${a b}` is not understood"),
        ("a: &a [*a]", "a[0]", "`*a` names no anchor"),
        ("group: !!python/name:os x", "group", "the tag"),
    ],
)
def test_a_wrong_value_is_shown_with_what_is_wrong(desk, text, path, message) -> None:
    problem = next(problem for problem in desk.problems(text) if problem.path == path)
    assert problem.message.startswith(message)
    assert problem.remedy


def test_a_name_that_stands_twice_is_an_error_with_both_lines(desk) -> None:
    problem = desk.problem("group: a\nwait: 1s\ngroup: b\n")
    assert (problem.line, problem.message) == (3, "the key `group` stands here twice")
    assert problem.remedy.startswith("it stands in line 1 already")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("group: 'x", "the quote ' that opens here is not closed on its line"),
        ("a: [1", "`,` or `]` is missing"),
        ("a: b: c", "a `: ` inside a value"),
        ("\tgroup: x", "a tab"),
        ("---\na: 1\n---\nb: 2", "a second document"),
    ],
)
def test_what_is_not_yaml_is_one_problem_with_its_line(desk, text, message) -> None:
    problem = desk.problem(text)
    assert problem.message.startswith(message)
    assert problem.line is not None
    assert problem.remedy


def test_a_list_at_the_top_is_an_error(desk) -> None:
    assert desk.problem("- a").message == "must be a mapping of names to values"


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read: No such file"):
        load_settings(file=tmp_path / "nowhere.yaml", environ={}, overrides={})


def test_a_file_that_is_not_utf8_is_an_error(desk) -> None:
    desk.file.write_bytes(b"group: \xff")
    with pytest.raises(SettingsError, match="is not UTF-8"):
        load_settings(file=desk.file, environ={}, overrides={})


@pytest.mark.parametrize(
    ("text", "environ"),
    [
        ("kafka: {sasl.password: [hunter2hunter2]}", {}),
        ("kafka: {sasl.pasword: hunter2hunter2}", {}),
        ("kafka: {sasl.password: {hunter2hunter2: x}}", {}),
        ("results: {salt: '${SALT}', to: hashed}", {"SALT": "hunter2hunter2"}),  # too short
        ('results: {salt: ["${SALT:-hunter2hunter2}"]}', {}),
        ("results: {salt: 0x6832}", {}),
        ("kafka: {sasl.password: 06832}", {}),
        ("kafka: {sasl.password: 68321234567890123456789}", {}),
    ],
)
def test_no_problem_shows_a_secret(desk, text, environ) -> None:
    problems = desk.problems(text, environ=environ)
    assert not any(part in str(problem) for problem in problems for part in ("hunter2", "6832"))


def test_a_secret_given_twice_is_an_error(desk, tmp_path: Path) -> None:
    (tmp_path / "salt").write_text("0123456789abcdef")
    environ = {"SMS_CONNECTOR_RESULTS__SALT_FILE": str(tmp_path / "salt"), "SMS_CONNECTOR_RESULTS__SALT": "x"}
    assert "so is SMS_CONNECTOR_RESULTS__SALT" in desk.problems(environ=environ)[0].message


def test_a_secret_file_that_cannot_be_read_is_an_error(desk) -> None:
    problem = desk.problem(environ={"SMS_CONNECTOR_RESULTS__SALT_FILE": "/nowhere"})
    assert problem.message == "/nowhere cannot be read: No such file or directory"


@pytest.mark.parametrize("around", ["\n", "\r", "\0", "\u2028", " x", "１"])
@pytest.mark.parametrize(
    ("path", "value"),
    [("kafka.bootstrap.servers", "kafka:9092"), ("topics.results", "sms.results"), ("timeouts.drain", "55s")],
)
def test_a_value_with_a_line_break_or_another_scripts_digit_after_it_is_refused(desk, path, value, around) -> None:
    problems = desk.problems(overrides={path: value + around})
    assert path in {problem.path for problem in problems}


@pytest.mark.parametrize("address", ["kafka:0", "kafka:65536", "kafka", ":9092", "ka\nfka:9092", "http://kafka:9092"])
def test_an_address_that_no_client_could_reach_is_refused(desk, address) -> None:
    assert desk.problem(overrides={"kafka.bootstrap.servers": address}).message.endswith(" is not host:port")
