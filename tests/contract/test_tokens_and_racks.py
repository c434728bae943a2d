"""What the connector takes from inside aiokafka and Faust for tokens and for replicas that are near."""

from __future__ import annotations

from aiokafka import AIOKafkaConsumer
from aiokafka.abc import AbstractTokenProvider
from aiokafka.conn import AIOKafkaConnection, OAuthAuthenticator
from faust.auth import OAuthCredentials
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth

from connector.kafka.connecting import HeedfulConnection

REFUSAL = b'{"status":"invalid_token"}'


class Tokens(AbstractTokenProvider):
    async def token(self) -> str:
        return "abc"


async def test_aiokafka_takes_a_refused_token_for_a_welcome_and_ours_does_not() -> None:
    upstream = OAuthAuthenticator(sasl_oauth_token_provider=Tokens())
    assert await upstream.step(None) == (b"n,,\x01auth=Bearer abc\x01\x01", True)
    assert await upstream.step(REFUSAL) is None  # once it raises, HeedfulAuthenticator may go
    connection = HeedfulConnection("127.0.0.1", 1, sasl_mechanism="OAUTHBEARER", sasl_oauth_token_provider=Tokens())
    assert isinstance(connection, AIOKafkaConnection)
    ours = connection.authenticator_oauth()
    assert await ours.step(None) == (b"n,,\x01auth=Bearer abc\x01\x01", True)
    assert await ours.step(REFUSAL) == (b"\x01", True)
    welcome = connection.authenticator_oauth()
    await welcome.step(None)
    assert await welcome.step(b"") is None


def test_fausts_credentials_hand_the_tokens_on() -> None:
    tokens = Tokens()
    found = credentials_to_aiokafka_auth(OAuthCredentials(oauth_cb=tokens))
    assert found["sasl_oauth_token_provider"] is tokens
    assert (found["sasl_mechanism"], found["security_protocol"]) == ("OAUTHBEARER", "SASL_PLAINTEXT")


async def test_a_consumer_takes_up_its_rack_when_it_starts() -> None:
    consumer = AIOKafkaConsumer(bootstrap_servers="127.0.0.1:1", client_rack="zone-a")
    assert consumer._client_rack == "zone-a"
    await consumer.stop()
