"""Settings that do not fit each other are refused, and the message says which to change."""

import pytest

SASL = "security.protocol: SASL_SSL, sasl.mechanism: PLAIN, sasl.username: u, sasl.password: p"


@pytest.mark.parametrize(
    ("text", "path", "part"),
    [
        ("timeouts: {drain: 55s}", "timeouts.drain", "raise timeouts.rebalance to 65s or lower timeouts.drain"),
        ("timeouts: {http_total: 36s}", "timeouts.http_total", "raise timeouts.drain to 41s"),
        ("timeouts: {heartbeat: 5s}", "timeouts.heartbeat", "raise timeouts.session to 15s"),
        ("timeouts: {session: 50s}", "timeouts.session", "raise timeouts.broker_request to 50s"),
        ("timeouts: {stuck: 90s, refused: 1m}", "timeouts.rebalance", "raise timeouts.stuck to 100s"),
        ("timeouts: {refused: 3m}", "timeouts.refused", "raise timeouts.stuck to 185s or lower timeouts.refused"),
        ("timeouts: {commit_interval: 0s}", "timeouts.commit_interval", "write 1s or more"),
        ("wait: 10s", "wait", "lower wait or raise wait_max"),
        ("results: {to: hashed}", "results.salt", "SMS_CONNECTOR_RESULTS__SALT_FILE"),
        ("results: {to: hashed, salt: short}", "results.salt", "at least 16 characters"),
        ("tracing: {propagate: true}", "tracing.propagate", "set tracing.enabled: true"),
        ("topics: {retry_tiers: [30s, 5s]}", "topics.retry_tiers", "write [5s, 30s]"),
        ("topics: {results: sms.messages}", "topics.results", "sms.messages is used twice"),
        ("topics: {sources: [a, a]}", "topics.sources[1].topic", "a is used twice"),
        ("topics: {journal: sms.retry.5s}", "topics.retry_prefix", "sms.retry.5s is used twice"),
        ("topics: {sources: [{topic: a, share: 0.6}, {topic: b, share: 0.6}]}", "topics.sources", "add up to 1.2"),
        ("topics: {sources: [{topic: a, share: 1}, b]}", "topics.sources", "add up to 1"),
        ("kafka: {sasl.username: u}", "kafka.security.protocol", "PLAINTEXT sends no credentials"),
        ("kafka: {ssl.ca.location: x}", "kafka.security.protocol", "PLAINTEXT does not encrypt"),
        (
            "kafka: {security.protocol: SASL_SSL, sasl.mechanism: PLAIN, sasl.username: u}",
            "kafka.sasl.password",
            "is needed with SASL_SSL",
        ),
        ("inbound: {stop: [No more], start: [no more!]}", "inbound.start", "keep it in one of them"),
        (f"kafka: {{{SASL}, ssl.key.location: k}}", "kafka.ssl.certificate.location", "needed with ssl.key.location"),
    ],
)
def test_a_clash_names_the_setting_to_change(desk, text, path, part) -> None:
    problem = desk.problem(text)
    assert problem.path == path
    assert part in str(problem)
    assert problem.line == 1


@pytest.mark.parametrize(
    "text",
    [
        "timeouts: {drain: 50s}",
        "timeouts: {http_total: 35s}",
        "timeouts: {heartbeat: 4s}",
        "timeouts: {refused: 175s}",
        "topics: {sources: [{topic: a, share: 0.4}, {topic: b, share: 0.6}]}",
        f"kafka: {{{SASL}}}",
        "kafka: {security.protocol: SSL, ssl.certificate.location: c}",
        "results: {to: hashed, salt: 0123456789abcdef}",
        "inbound: {stop: [no more, No more!], start: [go on], languages: [de]}",
    ],
)
def test_bounds_may_be_met_exactly(desk, text) -> None:
    desk.load(text)


def test_a_clash_with_a_value_that_cannot_be_read_is_not_told(desk) -> None:
    problem = desk.problem("timeouts: {drain: 50, rebalance: 20s, stuck: 10m, http_total: 1s}")
    assert problem.path == "timeouts.drain"
    assert "is not a duration" in problem.message


def test_a_clash_points_at_what_was_written_even_where_the_other_is_a_default(desk) -> None:
    problem = desk.problem(environ={"SMS_CONNECTOR_TIMEOUTS__REBALANCE": "45s"})
    assert (problem.file, problem.path) == ("SMS_CONNECTOR_TIMEOUTS__REBALANCE", "timeouts.drain")


@pytest.mark.parametrize(
    ("allow", "to", "allowed"),
    [
        ([], "+4915112345678", True),
        (["+919812345678"], "919812345678", True),
        (["+919812345678"], "+9198123456789", False),
        (["+91*", "4915112345678"], "+919812345678", True),
        (["+91*", "4915112345678"], "+4915112345678", True),
        (["+91*"], "+449812345678", False),
    ],
)
def test_only_allowed_recipients_are_texted(desk, allow, to, allowed) -> None:
    matcher = desk.load(overrides={"recipients.allow": allow}).settings.recipients.matcher()
    assert matcher(to) is allowed


def test_retry_topics_are_named_by_their_delay(desk) -> None:
    topics = desk.load("topics: {retry_tiers: [500ms, 90s, 2h], retry_prefix: again}").settings.topics
    assert topics.retry == {0.5: "again.500ms", 90.0: "again.90s", 7200.0: "again.2h"}


@pytest.mark.parametrize("word", ["...", "'  '", "x" * 101])
def test_a_key_word_must_be_one_that_a_text_can_be(desk, word) -> None:
    problem = desk.problem(f"inbound: {{stop: [{word}]}}")
    assert problem.path == "inbound.stop[0]"
    assert "no text of 1 to 100 characters" in problem.message
