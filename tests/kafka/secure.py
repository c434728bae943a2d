"""What the SASL_SSL and SSL listeners of a test broker are made of: users, mechanisms, certificates."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.kafka.certificates import CLIENT, Certificates

_MODULES = "org.apache.kafka.common.security"


@dataclass(frozen=True)
class Security:
    """One user for every mechanism (SCRAM-SHA-256, SCRAM-SHA-512, PLAIN) and a set of certificates.

    Attributes:
        user: may do everything, as may the client certificate and whoever uses the plain-text listener.
        others: users (SCRAM, the same password) who may only what access rules say.
    """

    certificates: Certificates
    user: str = "connector"
    others: tuple[str, ...] = ("sms-connector", "receivers", "receipts", "campaigns", "reports", "support", "oncall")
    password: str = field(default="hunter2 horse battery staple", repr=False)

    def storage_arguments(self) -> list[str]:
        """What `kafka-storage format` needs to create the user before the first start."""
        return [
            argument
            for user in (self.user, *self.others)
            for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512")
            for argument in ("--add-scram", f"{mechanism}=[name={user},password={self.password}]")
        ]

    def broker_settings(self) -> dict[str, str]:
        """The lines of server.properties. PEM throughout: no keytool, no JKS."""
        sasl, tls = "listener.name.sasl_ssl", "listener.name.ssl"
        plain = f'{_MODULES}.plain.PlainLoginModule required user_{self.user}="{self.password}";'
        scram = f"{_MODULES}.scram.ScramLoginModule required;"
        return {
            f"{sasl}.sasl.enabled.mechanisms": "SCRAM-SHA-256,SCRAM-SHA-512,PLAIN",
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
