"""What this principal may do with topics, as the brokers tell it (KIP-430, Kafka 2.3 and later).

aiokafka 0.14 speaks Metadata up to version 5; the operations come with version 8.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import IntEnum

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import IncompatibleBrokerVersion, UnsupportedVersionError
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Int16, Int32, Schema, String

NOT_TOLD = -(2**31)
"""In place of the operations: the broker does not know."""


class AclOperation(IntEnum):
    """Kafka's `AclOperation`, by its number: the bit in what brokers tell."""

    READ = 3
    WRITE = 4


class _MetadataResponse8(Response):  # type: ignore[misc]  # aiokafka is not typed
    API_KEY = 3
    API_VERSION = 8
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            Array(("node_id", Int32), ("host", String("utf-8")), ("port", Int32), ("rack", String("utf-8"))),
        ),
        ("cluster_id", String("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            Array(
                ("error_code", Int16),
                ("topic", String("utf-8")),
                ("is_internal", Boolean),
                (
                    "partitions",
                    Array(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", Array(Int32)),
                        ("isr", Array(Int32)),
                        ("offline_replicas", Array(Int32)),
                    ),
                ),
                ("authorized_operations", Int32),
            ),
        ),
        ("cluster_authorized_operations", Int32),
    )


class _MetadataRequest8(RequestStruct):  # type: ignore[misc]
    API_KEY = 3
    API_VERSION = 8
    RESPONSE_TYPE = _MetadataResponse8
    SCHEMA = Schema(
        ("topics", Array(String("utf-8"))),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
    )


class _MetadataRequest(Request[_MetadataRequest8]):  # type: ignore[misc]
    API_KEY = 3

    def __init__(self, topics: list[str]) -> None:
        self._topics = topics

    def build(self, request_struct_class: type[_MetadataRequest8]) -> _MetadataRequest8:
        return request_struct_class(self._topics, False, False, True)


async def allowed(client: AIOKafkaAdminClient, topics: Collection[str]) -> Mapping[str, frozenset[AclOperation]]:
    """What we may do with each topic; without those of which the broker does not tell. Creates none of them.

    Raises:
        KafkaError: no broker answers.
    """
    if not topics:
        return {}
    try:
        response = await client._send_request(_MetadataRequest(sorted(topics)))  # noqa: SLF001
    except (IncompatibleBrokerVersion, UnsupportedVersionError, NotImplementedError):
        return {}
    return {
        topic["topic"]: frozenset(it for it in AclOperation if topic["authorized_operations"] >> it & 1)
        for topic in response.to_object()["topics"]
        if not topic["error_code"] and topic["authorized_operations"] != NOT_TOLD
    }
