"""Access rules on a secure broker, added and taken away by tests."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future
from typing import Any

from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from tests.kafka.local import LocalKafka

WORKER = "sms-connector"
"""The principal of workers."""
SECONDS = 30.0


class Acls:
    """What the worker's principal may do on a broker. The broker has heard of each change when a call returns.

    Args:
        kafka: with `.security`.
        prefix: of the names of topics and group.
    """

    READ = AclOperation.READ

    def __init__(self, kafka: LocalKafka, prefix: str) -> None:
        self.kafka = kafka
        self._prefix = prefix
        self._admin = AdminClient({"bootstrap.servers": kafka.bootstrap, "log_level": 0})

    def allow_worker(self, *, without: Iterable[tuple[str, AclOperation]] = (), group: bool = True) -> None:
        """As docs/security.md says, but for some operations on some topics (`results`, `retry.`), or for the group."""
        read, write, delete = AclOperation.READ, AclOperation.WRITE, AclOperation.DELETE
        wanted = [
            *[(topic, read) for topic in ("messages", "control", "results", "journal", "retry.")],
            *[(topic, write) for topic in ("results", "journal", "dead-letters", "retry.")],
            ("retry.", delete),
            ("", AclOperation.DESCRIBE),
            ("", AclOperation.DESCRIBE_CONFIGS),
        ]
        left_out = set(without)
        for topic, operation in wanted:
            if (topic, operation) not in left_out:
                self.allow(topic, operation)
        if group:
            self.allow_group()

    def allow(self, topic: str, operation: AclOperation) -> None:
        _done(self._admin.create_acls([self._topic(topic, operation)]))

    def revoke(self, topic: str, operation: AclOperation) -> None:
        """Take a rule away, as `allow` has made it."""
        self._revoke(self._topic(topic, operation))

    def allow_group(self) -> None:
        """Read on the group, and on the one of the retry topics."""
        _done(self._admin.create_acls([self._group()]))

    def revoke_group(self) -> None:
        self._revoke(self._group())

    def _revoke(self, it: AclBinding) -> None:
        wanted = AclBindingFilter(
            it.restype, it.name, it.resource_pattern_type, it.principal, it.host, it.operation, it.permission_type
        )
        _done(self._admin.delete_acls([wanted]))

    def _group(self) -> AclBinding:
        return self._binding(ResourceType.GROUP, self._prefix, AclOperation.READ)

    def revoke_all(self) -> None:
        """Every rule of the principal, of any test: brokers hand out producer ids to who may write to any topic."""
        every = AclBindingFilter(
            ResourceType.TOPIC,
            None,
            ResourcePatternType.ANY,
            f"User:{WORKER}",
            "*",
            AclOperation.ANY,
            AclPermissionType.ANY,
        )
        _done(self._admin.delete_acls([every]))

    def _topic(self, topic: str, operation: AclOperation) -> AclBinding:
        return self._binding(ResourceType.TOPIC, f"{self._prefix}.{topic}", operation)

    def _binding(self, kind: ResourceType, name: str, operation: AclOperation) -> AclBinding:
        return AclBinding(
            kind, name, ResourcePatternType.PREFIXED, f"User:{WORKER}", "*", operation, AclPermissionType.ALLOW
        )


def worker_settings(kafka: LocalKafka) -> dict[str, str]:
    """`kafka` of connector.yaml, for that principal."""
    assert kafka.security is not None
    return {
        "bootstrap.servers": kafka.sasl_bootstrap,
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": WORKER,
        "sasl.password": kafka.security.password,
        "ssl.ca.location": str(kafka.security.certificates.ca),
    }


def _done(answers: dict[Any, Future[Any]]) -> None:
    for answer in answers.values():
        answer.result(SECONDS)
