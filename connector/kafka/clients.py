"""How clients reach the cluster: the `kafka` settings as plain data, and aiokafka clients made from it.

Faust gets the same data (servers, TLS context, credentials) and builds its own credentials object in `stream/`, so both
sides of the connector always connect in the same way.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from connector.errors import Problem, SettingsError
from connector.kafka import connecting
from connector.kafka.broker_tokens import TokenSource, token_source
from connector.settings.kafka import KafkaSettings
from connector.settings.model import Settings

BROKER_MESSAGE_BYTES = 1_048_588
"""`max.message.bytes` of a topic where nothing else is configured."""
HEADROOM_BYTES = 16 * 1024
"""A retry record or dead letter is its event plus headers: they stay below this."""
BATCH_BYTES = 256 * 1024
"""One record batch of results. Larger ones gained nothing in measurements and delay the first acknowledgement."""

C = TypeVar("C", AIOKafkaConsumer, AIOKafkaProducer, AIOKafkaAdminClient)


@dataclass(frozen=True, slots=True)
class Connection:
    """The `kafka` settings, ready for any client.

    Attributes:
        servers: `host:port`, one by one.
        client_id: how the client names itself to brokers.
        security_protocol: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL.
        ssl_context: present exactly with SSL and SASL_SSL.
        sasl_mechanism: present exactly with the SASL protocols.
        username, password: present with mechanisms that have them.
        tokens: present with those that have tokens, which are OAUTHBEARER to brokers.
        rack: where this client stands.
    """

    servers: tuple[str, ...]
    client_id: str
    security_protocol: str
    ssl_context: ssl.SSLContext | None = field(default=None, repr=False)
    sasl_mechanism: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tokens: TokenSource | None = field(default=None, repr=False)
    rack: str | None = None

    def options(self) -> dict[str, Any]:
        """Keyword arguments that every aiokafka client takes."""
        options: dict[str, Any] = {
            "bootstrap_servers": list(self.servers),
            "client_id": self.client_id,
            "security_protocol": self.security_protocol,
            "ssl_context": self.ssl_context,
        }
        if self.tokens is not None:
            options |= {"sasl_mechanism": "OAUTHBEARER", "sasl_oauth_token_provider": self.tokens}
        elif self.sasl_mechanism is not None:
            options |= {
                "sasl_mechanism": self.sasl_mechanism,
                "sasl_plain_username": self.username,
                "sasl_plain_password": self.password,
            }
        return options


def connect(kafka: KafkaSettings) -> Connection:
    """The settings as plain data; reads the certificate files.

    Clients of this process bound from now on how long they set a connection up.

    Raises:
        SettingsError: a certificate or key file cannot be used; all of them at once.
    """
    connecting.install()
    password = kafka.sasl_password
    return Connection(
        servers=kafka.servers,
        client_id=kafka.client_id,
        security_protocol=kafka.security_protocol,
        ssl_context=_ssl_context(kafka) if kafka.tls else None,
        sasl_mechanism=kafka.sasl_mechanism if kafka.sasl else None,
        username=kafka.sasl_username if kafka.sasl else None,
        password=password.get_secret_value() if kafka.sasl and password else None,
        tokens=token_source(kafka) if kafka.sasl else None,
        rack=kafka.client_rack,
    )


def producer(settings: Settings, *, limits: Mapping[str, int] | None = None) -> AIOKafkaProducer:
    """The one producer: idempotent, acknowledged by all replicas, patient in an outage.

    Args:
        settings: the connector's settings.
        limits: `max.message.bytes` of the topics: a batch of several records fits into each of them.
    """
    known = (limits or {}).values()
    options = {
        "enable_idempotence": True,
        "acks": "all",
        # Short time-outs crash the worker in an outage that it would have survived.
        "request_timeout_ms": round(settings.timeouts.producer * 1000),
        "max_batch_size": min([BATCH_BYTES, *known]),
        "max_request_size": max([BROKER_MESSAGE_BYTES, *known]) + HEADROOM_BYTES,
    }
    return AIOKafkaProducer(**connect(settings.kafka).options(), **options)


def admin(settings: Settings) -> AIOKafkaAdminClient:
    """A client for topics and their configuration."""
    return AIOKafkaAdminClient(
        **connect(settings.kafka).options(), request_timeout_ms=round(settings.timeouts.broker_request * 1000)
    )


async def started(client: C) -> C:
    """Start a client. One that cannot be started is closed, with the connections it has made already.

    Raises what aiokafka raises.
    """
    try:
        await client.start()
    except BaseException:
        await (client.close() if isinstance(client, AIOKafkaAdminClient) else client.stop())
        raise
    return client


def _ssl_context(kafka: KafkaSettings) -> ssl.SSLContext:
    problems: list[Problem] = []
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH)
    context.check_hostname = kafka.ssl_endpoint_identification_algorithm == "https"
    authorities, certificate = kafka.ssl_ca_location, kafka.ssl_certificate_location
    if authorities:
        # A context of its own: naming an authority means trusting that one and no other.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = kafka.ssl_endpoint_identification_algorithm == "https"
        problems += _attempt("ssl.ca.location", authorities, lambda: context.load_verify_locations(authorities))
    if certificate:
        password = kafka.ssl_key_password.get_secret_value() if kafka.ssl_key_password else ""
        # A password is always given, because OpenSSL would ask for a missing one on the terminal and wait.
        problems += _attempt(
            "ssl.certificate.location",
            ", ".join(filter(None, (certificate, kafka.ssl_key_location))),
            lambda: context.load_cert_chain(certificate, kafka.ssl_key_location, password),
        )
    if problems:
        raise SettingsError(problems)
    return context


def _attempt(name: str, shown: str, load: Callable[[], None]) -> list[Problem]:
    try:
        load()
    except OSError as error:  # ssl.SSLError is one
        reason = getattr(error, "reason", None) or error.strerror or error.__class__.__name__
        remedy = "name readable PEM files; the key must belong to the certificate, and its password to the key"
        return [Problem(f"{shown} cannot be used: {reason}", remedy, path=f"kafka.{name}")]
    return []
