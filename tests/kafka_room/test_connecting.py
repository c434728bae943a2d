"""A broker's address that takes connections and answers nothing holds a client only for a while."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaConnectionError

from connector.kafka import connecting
from connector.kafka.clients import connect
from connector.settings.kafka import KafkaSettings


@asynccontextmanager
async def silent() -> AsyncIterator[int]:
    """A port that takes connections and answers nothing."""
    taken: list[asyncio.StreamWriter] = []

    async def take(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken.append(writer)

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        for writer in taken:
            writer.transport.abort()
        server.close()
        await server.wait_closed()


async def test_setting_a_connection_up_ends_long_before_a_request_would(monkeypatch) -> None:
    """Without a bound of its own this test runs into the hour that a request may take."""
    monkeypatch.setattr(connecting, "SETUP_SECONDS", 0.05)
    async with silent() as port:
        settings = KafkaSettings.model_validate({"bootstrap.servers": f"127.0.0.1:{port}", "client.id": "c"})
        client = AIOKafkaConsumer(**connect(settings).options(), request_timeout_ms=3_600_000)
        with pytest.raises(KafkaConnectionError):
            await client.start()
        await client.stop()


async def test_the_bound_is_a_part_of_what_a_request_may_take() -> None:
    async with silent() as port:
        with pytest.raises(TimeoutError):
            await connecting.create_connection("127.0.0.1", port, request_timeout_ms=200)
