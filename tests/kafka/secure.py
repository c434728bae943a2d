"""What the SASL_SSL and SSL listeners of a test broker are made of: users, mechanisms, certificates, tokens."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.kafka.certificates import CLIENT, Certificates
from tests.kafka.tokens import AUDIENCE, ISSUER, TokenKey

_MODULES = "org.apache.kafka.common.security"


@dataclass(frozen=True)
class Security:
    """One user for every mechanism (SCRAM-SHA-256, SCRAM-SHA-512, PLAIN) and a set of certificates.

    Attributes:
        user: may do everything, as may the client certificate and whoever uses the plain-text listener.
        tokens: signs those of OAUTHBEARER, where that is wanted.
        others: users (SCRAM, the same password) who may only what access rules say.
    """

    certificates: Certificates
    user: str = "connector"
    others: tuple[str, ...] = (
        "sms-connector",
        "receivers",
        "receipts",
        "campaigns",
        "reports",
        "support",
        "oncall",
        "console",
    )
    password: str = field(default="hunter2 horse battery staple", repr=False)
    tokens: TokenKey | None = None

    def storage_arguments(self) -> list[str]:
        """What `kafka-storage format` needs to create the user before the first start."""
        return [
            argument
            for user in (self.user, *self.others)
            for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512")
            for argument in ("--add-scram", f"{mechanism}=[name={user},password={self.password}]")
        ]

    def jvm(self) -> list[str]:
        """What the broker's Java has to be told."""
        return [] if self.tokens is None else [f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={self.tokens.url}"]

    def broker_settings(self) -> dict[str, str]:
        """The lines of server.properties. PEM throughout: no keytool, no JKS."""
        sasl, tls = "listener.name.sasl_ssl", "listener.name.ssl"
        plain = f'{_MODULES}.plain.PlainLoginModule required user_{self.user}="{self.password}";'
        scram = f"{_MODULES}.scram.ScramLoginModule required;"
        mechanisms = "SCRAM-SHA-256,SCRAM-SHA-512,PLAIN"
        return {
            **({} if self.tokens is None else self._oauth(sasl, self.tokens)),
            f"{sasl}.sasl.enabled.mechanisms": mechanisms if self.tokens is None else f"{mechanisms},OAUTHBEARER",
            f"{sasl}.plain.sasl.jaas.config": plain,
            f"{sasl}.scram-sha-256.sasl.jaas.config": scram,
            f"{sasl}.scram-sha-512.sasl.jaas.config": scram,
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(self.certificates.server),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.certificates.ca),
            f"{tls}.ssl.client.auth": "required",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": f"User:ANONYMOUS;User:{self.user};User:CN={CLIENT}",
        }

    def _oauth(self, sasl: str, tokens: TokenKey) -> dict[str, str]:
        oauth = f"{sasl}.oauthbearer"
        return {
            f"{oauth}.sasl.jaas.config": f"{_MODULES}.oauthbearer.OAuthBearerLoginModule required;",
            f"{oauth}.sasl.server.callback.handler.class": (
                f"{_MODULES}.oauthbearer.OAuthBearerValidatorCallbackHandler"
            ),
            # A connection ends with its token: those of these tests live for seconds.
            f"{oauth}.connections.max.reauth.ms": "600000",
            f"{sasl}.sasl.oauthbearer.jwks.endpoint.url": tokens.url,
            f"{sasl}.sasl.oauthbearer.expected.audience": AUDIENCE,
            f"{sasl}.sasl.oauthbearer.expected.issuer": ISSUER,
        }
