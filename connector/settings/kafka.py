"""The `kafka` section: connection settings under the names Kafka users know.

A closed list: a name that is not here is an error, because a misspelt `ssl.ca.location` that is ignored means a
connection nobody meant. Names that exist elsewhere in Kafka get a remedy of their own (`ELSEWHERE`).
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from connector.config_text.units import UnitError

_address = re.compile(r"[^\s/\x00-\x20\x7f]+:(?P<port>[0-9]{1,5})").fullmatch


def _addresses(value: Any) -> Any:
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else value


def _check_addresses(value: str) -> str:
    for address in value.split(","):
        found = _address(address.strip(" "))
        if found is None or not 0 < int(found["port"]) < 65536:
            raise UnitError("not host:port", "write host:port, several separated by commas")
    return value


def _mechanism(value: Any) -> Any:
    if value == "GSSAPI":
        raise UnitError(
            "not supported",
            "use OAUTHBEARER, AWS_MSK_IAM, SCRAM-SHA-512, SCRAM-SHA-256 or PLAIN, or mutual TLS "
            "(ssl.certificate.location)",
        )
    return value


def _endpoint(value: str) -> str:
    if not _url(value):
        raise UnitError("not a URL without user", "write https://login.example.com/oauth2/token")
    return value


def _extensions(value: str) -> str:
    for pair in value.split(","):
        if not _extension(pair.strip()):
            raise UnitError(
                "not name=value, several separated by commas", "write logicalCluster=lkc-1,identityPoolId=p"
            )
    return value


_url = re.compile(r"https?://[^/?#\s@]+(/[^#\s]*)?").fullmatch
_extension = re.compile(r"(?P<name>[A-Za-z]+)=(?P<value>[\x21-\x2b\x2d-\x7e]*)").fullmatch


Addresses = Annotated[
    str, BeforeValidator(_addresses, json_schema_input_type=str | list[str]), AfterValidator(_check_addresses)
]


class KafkaSettings(BaseModel):
    """How to reach the cluster. The same values serve every client: consumer group, producer and admin."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bootstrap_servers: Addresses = Field(default="localhost:9092", alias="bootstrap.servers")
    """Brokers to ask first: `host:port`, several separated by commas (or a list)."""

    client_id: str = Field(default="sms-connector", alias="client.id", min_length=1)
    """How this program names itself to the brokers: quotas and broker logs use it."""

    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT", alias="security.protocol"
    )
    """Transport and authentication."""

    sasl_mechanism: Annotated[
        Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", "AWS_MSK_IAM"] | None,
        BeforeValidator(_mechanism),
    ] = Field(default=None, alias="sasl.mechanism")
    """Needed with a SASL protocol. `AWS_MSK_IAM` needs the extra `msk`, and SASL_SSL."""

    sasl_username: str | None = Field(default=None, alias="sasl.username")
    """User name, or API key."""

    sasl_password: SecretStr | None = Field(default=None, alias="sasl.password")
    """Password, or API secret."""

    sasl_oauthbearer_token_endpoint_url: Annotated[str, AfterValidator(_endpoint)] | None = Field(
        default=None, alias="sasl.oauthbearer.token.endpoint.url"
    )
    """With OAUTHBEARER: where tokens are asked for, by OpenID Connect's client credentials."""

    sasl_oauthbearer_client_id: str | None = Field(default=None, alias="sasl.oauthbearer.client.id", min_length=1)
    """Id of this client."""

    sasl_oauthbearer_client_secret: SecretStr | None = Field(default=None, alias="sasl.oauthbearer.client.secret")
    """Secret of this client."""

    sasl_oauthbearer_scope: str | None = Field(default=None, alias="sasl.oauthbearer.scope")
    """Scope that is asked for, where the endpoint wants one."""

    sasl_oauthbearer_extensions: Annotated[str, AfterValidator(_extensions)] | None = Field(
        default=None, alias="sasl.oauthbearer.extensions"
    )
    """What brokers are told with the token: `logicalCluster=lkc-1,identityPoolId=pool-1`."""

    https_ca_location: str | None = Field(default=None, alias="https.ca.location")
    """PEM file of the authorities to trust for the token endpoint, in place of those of the system."""

    aws_region: str | None = Field(default=None, alias="aws.region", pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]$")
    """With AWS_MSK_IAM: the cluster's region. Credentials are those that AWS's own tools would take."""

    aws_role_arn: str | None = Field(default=None, alias="aws.role.arn", pattern=r"^arn:[A-Za-z0-9:/_+=,.@-]+$")
    """With AWS_MSK_IAM: a role to take on for the cluster."""

    client_rack: str | None = Field(default=None, alias="client.rack", min_length=1)
    """Where this client stands (`${ZONE}`): events are fetched from the nearest replica, where brokers choose one by
    `replica.selector.class`."""

    ssl_ca_location: str | None = Field(default=None, alias="ssl.ca.location")
    """PEM file of the authorities to trust, in place of those of the system."""

    ssl_certificate_location: str | None = Field(default=None, alias="ssl.certificate.location")
    """PEM file of this client's certificate (chain), for mutual TLS."""

    ssl_key_location: str | None = Field(default=None, alias="ssl.key.location")
    """PEM file of this client's private key."""

    ssl_key_password: SecretStr | None = Field(default=None, alias="ssl.key.password")
    """Password of the private key."""

    ssl_endpoint_identification_algorithm: Literal["https", "none"] = Field(
        default="https", alias="ssl.endpoint.identification.algorithm"
    )
    """`https` compares the broker's certificate with its host name; `none` only verifies its chain."""

    @property
    def servers(self) -> tuple[str, ...]:
        """The bootstrap addresses, one by one."""
        return tuple(address.strip() for address in self.bootstrap_servers.split(","))

    @property
    def extensions(self) -> dict[str, str]:
        """What brokers are told with a token."""
        pairs = (self.sasl_oauthbearer_extensions or "").split(",")
        return {name.strip(): value.strip() for name, found, value in (it.partition("=") for it in pairs) if found}

    @property
    def tls(self) -> bool:
        return self.security_protocol in {"SSL", "SASL_SSL"}

    @property
    def sasl(self) -> bool:
        return self.security_protocol in {"SASL_PLAINTEXT", "SASL_SSL"}


ELSEWHERE: dict[str, str] = {
    # Java and librdkafka names → what to do instead.
    "group.id": "use `group`",
    "group.protocol": "leave it out: workers speak the classic protocol, which brokers of every release understand",
    "group.remote.assignor": "leave it out: workers share partitions out themselves",
    "group.instance.id": "use `static_membership`",
    "auto.offset.reset": "use `start_from`",
    "enable.auto.commit": "leave it out: offsets are committed when results are durable",
    "auto.commit.interval.ms": "use `timeouts.commit_interval`",
    "session.timeout.ms": "use `timeouts.session`",
    "heartbeat.interval.ms": "use `timeouts.heartbeat`",
    "max.poll.interval.ms": "use `timeouts.rebalance` (a rebalance) or `timeouts.stuck` (a worker that does nothing)",
    "rebalance.timeout.ms": "use `timeouts.rebalance`",
    "request.timeout.ms": "use `timeouts.broker_request`, or `timeouts.producer` for results",
    "delivery.timeout.ms": "use `timeouts.producer`",
    "isolation.level": "leave it out: events are always read_committed",
    "acks": "leave it out: it is always `all`",
    "enable.idempotence": "leave it out: it is always on",
    "sasl.mechanisms": "write `sasl.mechanism`",
    "sasl.jaas.config": "write `sasl.username` and `sasl.password`, or `sasl.oauthbearer.…`",
    "sasl.oauthbearer.method": "leave it out: it is `oidc`",
    "sasl.login.callback.handler.class": "leave it out: `sasl.mechanism` says all",
    "sasl.client.callback.handler.class": "leave it out: write `sasl.mechanism: AWS_MSK_IAM` for Amazon MSK",
    "ssl.truststore.location": "write `ssl.ca.location` with a PEM file",
    "ssl.truststore.password": "write `ssl.ca.location` with a PEM file; it needs no password",
    "ssl.keystore.location": "write `ssl.certificate.location` and `ssl.key.location` with PEM files",
    "ssl.keystore.password": "write `ssl.key.password`",
    "enable.ssl.certificate.verification": "leave it out: certificates are always verified; use `ssl.ca.location`",
    "metadata.broker.list": "write `bootstrap.servers`",
}
