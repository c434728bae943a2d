"""aiokafka's connections, given up sooner while they are set up.

aiokafka bounds each step of setting a connection up (TCP and TLS, versions, SASL) by the time-out of a request: 45 s
for the consumer, 300 s for the producer. An address that takes a connection and answers nothing, as during a network
partition, held the only connection to the group's coordinator for longer than the session: the membership was lost
after the network was back. Kafka's own clients have `socket.connection.setup.timeout.ms` for it (KIP-601), 10 s.
"""

from __future__ import annotations

import asyncio
from typing import Any

from aiokafka import client as upstream
from aiokafka.conn import AIOKafkaConnection

SETUP_SECONDS = 10.0
"""The default of Kafka's own clients."""
SHARE_OF_REQUEST = 4
"""A consumer's request may take as long as a session: two attempts to connect fit into half of one."""


async def create_connection(host: str, port: int, *, request_timeout_ms: int, **options: Any) -> AIOKafkaConnection:
    """As `create_conn` of aiokafka, bounded as a whole.

    Raises:
        TimeoutError: it took too long; and what aiokafka raises.
    """
    connection = AIOKafkaConnection(host, port, request_timeout_ms=request_timeout_ms, **options)
    async with asyncio.timeout(min(SETUP_SECONDS, request_timeout_ms / 1000 / SHARE_OF_REQUEST)):
        await connection.connect()
    return connection


def install() -> None:
    """Let every aiokafka client of this process connect like this. Safe to repeat."""
    upstream.create_conn = create_connection
