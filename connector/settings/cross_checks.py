"""Settings that do not fit each other. Each says which of them to change, and to what."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from connector.config_text.units import format_duration
from connector.settings.kafka import KafkaSettings
from connector.settings.key_words import plain
from connector.settings.model import Settings, Timeouts, Topics, Tracing
from connector.settings.origin import SettingPath
from connector.settings.way_back import InboundSettings, Receive
from connector.settings.web import Web

LEAVE_SECONDS = 10.0
"""After the drain results are written and offsets committed, still inside the rebalance time-out."""
FINISH_SECONDS = 5.0
"""After a request in flight has ended its results are still to be written within the drain."""
SALT_CHARACTERS = 16


@dataclass(frozen=True, slots=True)
class Clash:
    """Values that are right by themselves and wrong together.

    Attributes:
        paths: the settings involved; the first is the one to change.
    """

    paths: tuple[SettingPath, ...]
    message: str
    remedy: str


def cross_check(settings: Settings) -> list[Clash]:
    """Every clash, in the order of the file."""
    return [
        *_kafka(settings.kafka),
        *_topics(settings.topics),
        *_formats(settings),
        *_results(settings),
        *_windows(settings),
        *_timeouts(settings.timeouts),
        *_tracing(settings.tracing),
        *_receive(settings.receive),
        *_web(settings.web),
        *_inbound(settings.inbound),
        *_suppressions(settings),
    ]


def _kafka(kafka: KafkaSettings) -> Iterator[Clash]:
    protocol = ("kafka", "security.protocol")
    yield from _sasl(kafka)
    for name, value in (
        ("sasl.mechanism", kafka.sasl_mechanism),
        ("sasl.username", kafka.sasl_username),
        ("sasl.password", kafka.sasl_password),
    ):
        path = ("kafka", name)
        if not kafka.sasl and value is not None:
            other = "SASL_SSL" if kafka.tls else "SASL_SSL or SASL_PLAINTEXT"
            yield Clash(
                (protocol, path),
                f"{kafka.security_protocol} sends no credentials, but {name} is set",
                f"write {other}, or remove it",
            )
    for name, value in (
        ("ssl.ca.location", kafka.ssl_ca_location),
        ("ssl.certificate.location", kafka.ssl_certificate_location),
        ("ssl.key.location", kafka.ssl_key_location),
    ):
        if not kafka.tls and value is not None:
            other = "SASL_SSL" if kafka.sasl else "SSL"
            yield Clash(
                (protocol, ("kafka", name)),
                f"{kafka.security_protocol} does not encrypt, but {name} is set",
                f"write {other}, or remove it",
            )
    certificate, key = ("kafka", "ssl.certificate.location"), ("kafka", "ssl.key.location")
    if kafka.ssl_key_location and not kafka.ssl_certificate_location:
        yield Clash((certificate, key), "is needed with ssl.key.location", "set kafka.ssl.certificate.location")


PASSWORDS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")


def _sasl(kafka: KafkaSettings) -> Iterator[Clash]:
    """What each mechanism needs, and what only another one takes."""
    protocol, mechanism = ("kafka", "security.protocol"), ("kafka", "sasl.mechanism")
    of_oauth, of_aws = ("OAUTHBEARER",), ("AWS_MSK_IAM",)
    for name, value, mechanisms, needed in (
        ("sasl.username", kafka.sasl_username, PASSWORDS, True),
        ("sasl.password", kafka.sasl_password, PASSWORDS, True),
        ("sasl.oauthbearer.token.endpoint.url", kafka.sasl_oauthbearer_token_endpoint_url, of_oauth, True),
        ("sasl.oauthbearer.client.id", kafka.sasl_oauthbearer_client_id, of_oauth, True),
        ("sasl.oauthbearer.client.secret", kafka.sasl_oauthbearer_client_secret, of_oauth, True),
        ("sasl.oauthbearer.scope", kafka.sasl_oauthbearer_scope, of_oauth, False),
        ("sasl.oauthbearer.extensions", kafka.sasl_oauthbearer_extensions, of_oauth, False),
        ("https.ca.location", kafka.https_ca_location, of_oauth, False),
        ("aws.region", kafka.aws_region, of_aws, True),
        ("aws.role.arn", kafka.aws_role_arn, of_aws, False),
    ):
        path, chosen = ("kafka", name), kafka.sasl_mechanism
        if kafka.sasl and needed and value is None and (chosen or PASSWORDS[0]) in mechanisms:
            with_ = kafka.security_protocol if chosen in {None, *PASSWORDS} else chosen
            yield Clash((path, protocol), f"is needed with {with_}", f"set kafka.{name}")
        if kafka.sasl and value is not None and chosen is not None and chosen not in mechanisms:
            yield Clash((path, mechanism), f"is not used with {chosen}", "remove it, or choose another sasl.mechanism")
    if kafka.sasl and kafka.sasl_mechanism is None:
        yield Clash((mechanism, protocol), f"is needed with {kafka.security_protocol}", "set kafka.sasl.mechanism")
    if kafka.sasl_mechanism == "AWS_MSK_IAM" and kafka.sasl and not kafka.tls:
        yield Clash((protocol, mechanism), f"{kafka.security_protocol} does not encrypt", "write SASL_SSL")


def _topics(topics: Topics) -> Iterator[Clash]:
    tiers, sources = ("topics", "retry_tiers"), ("topics", "sources")
    if list(topics.retry_tiers) != sorted(set(topics.retry_tiers)):
        right = ", ".join(format_duration(tier) for tier in sorted(set(topics.retry_tiers)))
        yield Clash((tiers,), "are not in ascending order", f"write [{right}]")
    total = sum(source.share for source in topics.sources)
    if total > 1 or (total == 1 and any(source.share == 0 for source in topics.sources)):
        yield Clash((sources,), f"the shares add up to {total:g}", "leave some memory to share: less than 1 together")
    used: dict[str, SettingPath] = {}
    named: list[tuple[SettingPath, str]] = [
        ((*sources, index, "topic"), s.topic) for index, s in enumerate(topics.sources)
    ]
    named += [
        (("topics", field), getattr(topics, field))
        for field in (
            "results",
            "dead_letters",
            "journal",
            "control",
            "audit",
            "receipts",
            "receipts_matched",
            "receipts_unmatched",
            "receipts_in",
            "receipts_index",
            "inbound",
            "suppressions",
        )
    ]
    named += [(("topics", "retry_prefix"), name) for name in topics.retry.values()]
    for path, name in named:
        if name in used:
            yield Clash((path, used[name]), f"{name} is used twice", "give each topic a name of its own")
        used.setdefault(name, path)


def _formats(settings: Settings) -> Iterator[Clash]:
    registry = settings.registry
    for index, source in enumerate(settings.topics.sources):
        path = ("topics", "sources", index)
        asks = source.format == "avro" or (source.format == "protobuf" and source.descriptors is None)
        if asks and registry.url is None:
            yield Clash((("registry", "url"), path), f"is needed with format: {source.format}", "set registry.url")
        if source.descriptors is not None and source.format != "protobuf":
            yield Clash(((*path, "descriptors"), path), "is for format: protobuf", "remove it, or write that format")
        if (source.descriptors is None) != (source.type is None):
            there, other = ("type", "descriptors") if source.type is None else ("descriptors", "type")
            yield Clash(((*path, there), path), f"is needed with {other}", "a file may hold many messages: name both")
    if registry.token is not None and registry.password is not None:
        yield Clash((("registry", "token"), ("registry", "password")), "is a second credential", "remove one of them")
    if (registry.username is None) != (registry.password is None):
        missing, other = ("password", "username") if registry.password is None else ("username", "password")
        yield Clash((("registry", missing), ("registry", other)), f"is needed with registry.{other}", "set both")


def _results(settings: Settings) -> Iterator[Clash]:
    path, salt = ("results", "salt"), settings.results.salt
    if settings.results.to == "hashed" and (salt is None or len(salt.get_secret_value()) < SALT_CHARACTERS):
        yield Clash(
            (path, ("results", "to")),
            f"needs at least {SALT_CHARACTERS} characters with `to: hashed`: phone numbers are few enough to try all",
            "set SMS_CONNECTOR_RESULTS__SALT_FILE",
        )


def _windows(settings: Settings) -> Iterator[Clash]:
    if settings.wait > settings.wait_max:
        yield Clash(
            (("wait",), ("wait_max",)),
            f"{format_duration(settings.wait)} is longer than wait_max {format_duration(settings.wait_max)}",
            "lower wait or raise wait_max",
        )


def _timeouts(timeouts: Timeouts) -> Iterator[Clash]:
    t = timeouts
    for low, least, high, text in (
        ("heartbeat", 3 * t.heartbeat, "session", "at least three heartbeats must fit in session"),
        (
            "drain",
            t.drain + LEAVE_SECONDS,
            "rebalance",
            "drain must end 10s before rebalance does, or the group goes on without it",
        ),
        (
            "http_total",
            t.http_total + FINISH_SECONDS,
            "drain",
            "http_total must end 5s before drain does, or requests are cut off",
        ),
        ("session", t.session, "broker_request", "broker_request must not be shorter than session"),
        ("rebalance", t.rebalance + t.drain, "stuck", "stuck must be longer than rebalance + drain"),
        (
            "refused",
            t.refused + FINISH_SECONDS,
            "stuck",
            "stuck must end 5s after refused does, or a worker whose access is refused is restarted (71) in a loop",
        ),
    ):
        there: float = getattr(t, high)
        if least > there:
            here = format_duration(getattr(t, low))
            yield Clash(
                (("timeouts", low), ("timeouts", high)),
                f"{low} {here} does not fit {high} {format_duration(there)}: {text}",
                f"raise timeouts.{high} to {format_duration(least)} or lower timeouts.{low}",
            )
    for name in ("session", "heartbeat", "rebalance", "drain", "http_total", "producer", "commit_interval"):
        if getattr(t, name) <= 0:
            yield Clash((("timeouts", name),), "must be longer than nothing", "write 1s or more")


def _tracing(tracing: Tracing) -> Iterator[Clash]:
    if tracing.propagate and not tracing.enabled:
        path = ("tracing", "propagate")
        yield Clash((path,), "without spans there is no trace to pass on", "set tracing.enabled: true")


def _inbound(inbound: InboundSettings) -> Iterator[Clash]:
    used: dict[str, SettingPath] = {}
    for name in ("stop", "start", "help", "plain"):
        for word in getattr(inbound, name):
            path: SettingPath = ("inbound", name)
            other = used.setdefault(plain(word), path)
            if other != path:
                yield Clash((path, other), f"{word!r} stands in both", "keep it in one of them: a text means one thing")


def _receive(receive: Receive) -> Iterator[Clash]:
    url, keys, url_keys = ("receive", "url"), ("receive", "keys"), ("receive", "url_keys")
    for path, there in ((keys, receive.keys), (url_keys, receive.url_keys)):
        if receive.url is not None and not there:
            yield Clash((path, url), "is needed with receive.url", "set it to [${NAME}], 32 random bytes or more")
        if receive.url is None and there:
            yield Clash((url, path), f"is needed with {'.'.join(path)}", "set the URL that providers call")
    if {it.get_secret_value() for it in receive.keys} & {it.get_secret_value() for it in receive.url_keys}:
        yield Clash((url_keys, keys), "has a key of receive.keys", "make another one: they are changed separately")
    index_keys = ("receive", "index_keys")
    if {it.get_secret_value() for it in receive.keys} & {it.get_secret_value() for it in receive.index_keys}:
        yield Clash((index_keys, keys), "has a key of receive.keys", "make another one: they are changed separately")
    if receive.url is None and receive.index_keys:
        yield Clash((url, index_keys), "is needed with receive.index_keys", "set the URL that providers call")
    if receive.key is not None and receive.certificate is None:
        yield Clash((("receive", "certificate"), ("receive", "key")), "is needed with receive.key", "name the file")
    if receive.bytes < 2 * receive.body:
        yield Clash(
            (("receive", "bytes"), ("receive", "body")),
            "is less than twice receive.body",
            "raise it, or lower the other",
        )


def _web(web: Web) -> Iterator[Clash]:
    auth, tokens, proxy = ("web", "auth"), ("web", "tokens"), ("web", "proxy")
    if web.auth == "none" and not web.local:
        remedy = "set web.auth to tokens or proxy, or web.host to 127.0.0.1"
        yield Clash((auth, ("web", "host")), f"none lets everybody in who reaches {web.host}", remedy)
    if web.auth == "tokens" and not web.tokens:
        yield Clash((tokens, auth), "is needed with `auth: tokens`", "make one with `sms-connector console token`")
    if len({it.name for it in web.tokens}) < len(web.tokens):
        yield Clash((tokens,), "has a name twice", "give each token a name of its own")
    if len({it.sha256 for it in web.tokens}) < len(web.tokens):
        yield Clash((tokens,), "has a token twice", "make one for each person")
    if web.auth == "proxy" and web.proxy.secret is None:
        remedy = "set it to ${NAME}, and have the proxy send it in web.proxy.secret_header"
        yield Clash(((*proxy, "secret"), auth), "is needed with `auth: proxy`", remedy)
    if web.auth == "proxy" and not web.proxy.groups:
        yield Clash(((*proxy, "groups"), auth), "is needed with `auth: proxy`", "say what each group may do")


def _suppressions(settings: Settings) -> Iterator[Clash]:
    for index, topic in enumerate(settings.suppressions.exempt_sources):
        if topic not in settings.topics.source_names:
            yield Clash(
                (("suppressions", "exempt_sources", index),),
                f"{topic} is none of topics.sources",
                f"write one of {', '.join(settings.topics.source_names)}",
            )
