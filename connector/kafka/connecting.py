"""aiokafka's connections, given up sooner while they are set up.

aiokafka bounds each step of setting a connection up (TCP and TLS, versions, SASL) by the time-out of a request: 45 s
for the consumer, 300 s for the producer. An address that takes a connection and answers nothing, as during a network
partition, held the only connection to the group's coordinator for longer than the session: the membership was lost
after the network was back. Kafka's own clients have `socket.connection.setup.timeout.ms` for it (KIP-601), 10 s.

With OAUTHBEARER a broker answers a token that it does not take with the reason and waits for a word (RFC 7628, 3.2.3).
aiokafka takes that answer for a welcome, and the connection for a good one: a worker with an expired token would have
connected for ever, and nobody been told.
"""

from __future__ import annotations

import asyncio
from typing import Any

from aiokafka import client as upstream
from aiokafka.conn import AIOKafkaConnection, OAuthAuthenticator
from aiokafka.errors import AuthenticationFailedError

SETUP_SECONDS = 10.0
"""The default of Kafka's own clients."""
SHARE_OF_REQUEST = 4
"""A consumer's request may take as long as a session: two attempts to connect fit into half of one."""


class HeedfulAuthenticator(OAuthAuthenticator):  # type: ignore[misc]  # aiokafka is not typed
    """Hears what a broker says of a token, and has it say so in Kafka's own words."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._refused = False

    async def step(self, payload: bytes | None) -> tuple[bytes, bool] | None:
        """For aiokafka, which raises what the broker answers to the second message."""
        if self._refused:
            raise AuthenticationFailedError("the broker does not take the token")
        if self._token_sent and payload:
            self._refused = True
            return b"\x01", True
        found: tuple[bytes, bool] | None = await super().step(payload)
        return found


class HeedfulConnection(AIOKafkaConnection):  # type: ignore[misc]
    """Whose tokens are looked at so."""

    def authenticator_oauth(self) -> HeedfulAuthenticator:
        return HeedfulAuthenticator(sasl_oauth_token_provider=self._sasl_oauth_token_provider)


async def create_connection(host: str, port: int, *, request_timeout_ms: int, **options: Any) -> AIOKafkaConnection:
    """As `create_conn` of aiokafka, bounded as a whole.

    Raises:
        TimeoutError: it took too long; and what aiokafka raises.
    """
    connection = HeedfulConnection(host, port, request_timeout_ms=request_timeout_ms, **options)
    async with asyncio.timeout(min(SETUP_SECONDS, request_timeout_ms / 1000 / SHARE_OF_REQUEST)):
        await connection.connect()
    return connection


def install() -> None:
    """Let every aiokafka client of this process connect like this. Safe to repeat."""
    upstream.create_conn = create_connection
