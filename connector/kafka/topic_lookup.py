"""Looking topics up by name, without creating those that are not there.

aiokafka's admin client asks in a way that lets brokers with `auto.create.topics.enable` create a missing topic, with
the wrong number of partitions. To list all of them instead is right, and dear: a cluster of 10,000 partitions answers
with half a megabyte, which takes 80 ms of the loop to decode, five times per opening and worker.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.api import RequestStruct
from aiokafka.protocol.metadata import MetadataRequest

ASKS_WITHOUT_CREATING = 4
"""Version of the request (brokers from 0.11); before it all topics are asked for."""


class NamedTopics(MetadataRequest):  # type: ignore[misc]  # aiokafka is not typed
    """Asks for these topics, and creates none."""

    API_KEY = MetadataRequest.API_KEY

    def __init__(self, topics: Iterable[str]) -> None:
        super().__init__(sorted(topics), allow_auto_topic_creation=False)

    def build(self, request_struct_class: type[RequestStruct]) -> RequestStruct:
        if request_struct_class.API_VERSION < ASKS_WITHOUT_CREATING:
            return MetadataRequest(None).build(request_struct_class)
        built: RequestStruct = super().build(request_struct_class)
        return built


async def look_up(client: AIOKafkaAdminClient, topics: Iterable[str]) -> list[Mapping[str, Any]]:
    """What is told of those that are there, and that we may see. Raises what aiokafka raises."""
    wanted = set(topics)
    if not wanted:
        return []
    answer = await client._send_request(NamedTopics(wanted))  # noqa: SLF001
    return [it for it in answer.to_object()["topics"] if it["topic"] in wanted and not it["error_code"]]
