"""Tokens for brokers: kept for most of their life, asked for once at a time; what the endpoint says instead is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connector.clock import ManualClock
from connector.errors import SettingsError
from connector.json_service import Service
from connector.kafka import broker_tokens
from connector.kafka.broker_tokens import AGAIN_SECONDS, ClientCredentials, MskIam, TokenError, token_source
from connector.kafka.clients import connect
from connector.settings import load_settings
from connector.settings.kafka import KafkaSettings
from connector.stream.faust.app import _credentials
from tests.kafka.tokens import TokenEndpoint, TokenKey

CLIENT, SECRET = "sms:connector", "hunter2 & more%"


@pytest.fixture
def endpoint(tmp_path: Path) -> Iterator[TokenEndpoint]:
    with TokenEndpoint(TokenKey(tmp_path / "jwks"), client=CLIENT, secret=SECRET, subject="connector").running() as it:
        yield it


def source(endpoint: TokenEndpoint, clock: ManualClock, **changes: Any) -> ClientCredentials:
    service = Service(endpoint.url, 2.0)
    values = {"client": CLIENT, "secret": SECRET, "scope": "", "shown": {}, **changes}
    return ClientCredentials(service, clock=clock, **values)


async def test_a_token_is_kept_and_another_one_asked_for_before_it_ends(endpoint: TokenEndpoint) -> None:
    clock = ManualClock()
    it = source(endpoint, clock, scope="kafka")
    first = await it.token()
    clock.advance(30)
    assert await it.token() == first
    assert endpoint.asked == [{"grant_type": "client_credentials", "scope": "kafka"}]
    clock.advance(20)  # of 60
    assert await it.token() != ""
    assert len(endpoint.asked) == 2


async def test_many_connections_at_once_ask_for_one_token(endpoint: TokenEndpoint) -> None:
    it = source(endpoint, ManualClock())
    assert len(set(await asyncio.gather(*[it.token() for _ in range(20)]))) == 1
    assert len(endpoint.asked) == 1


def test_each_loop_may_ask(endpoint: TokenEndpoint) -> None:
    it = source(endpoint, ManualClock())
    assert asyncio.run(it.token()) == asyncio.run(it.token())
    assert len(endpoint.asked) == 1


async def test_a_token_that_is_still_valid_is_used_while_the_endpoint_is_away(endpoint: TokenEndpoint) -> None:
    clock = ManualClock()
    it = source(endpoint, clock)
    first = await it.token()
    endpoint.answer = 503, b"<html>"
    clock.advance(55)
    assert await it.token() == first
    assert await it.token() == first
    assert len(endpoint.asked) == 2  # not with each connection
    clock.advance(10)
    with pytest.raises(TokenError, match="answers 503"):
        await it.token()
    endpoint.answer = None
    clock.advance(AGAIN_SECONDS)
    assert await it.token() != first or len(endpoint.asked) == 4


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (401, b'{"error": "invalid_client"}', "invalid_client"),
        (400, b'{"error": "invalid_scope"}', r"client\.secret and \.scope"),
        (500, b"<html>", "answers 500"),
        (200, b"<html>", "not JSON"),
        (200, b"{}", "without an access_token"),
        (200, b'{"access_token": 7}', "without an access_token"),
        (200, json.dumps({"access_token": "a\x01auth=Bearer b"}).encode(), "without an access_token"),
        (200, b"[" * 5000, "not JSON"),
    ],
)
async def test_what_the_endpoint_says_instead_of_a_token_is_told_without_secrets(
    endpoint: TokenEndpoint, status: int, body: bytes, told: str
) -> None:
    endpoint.answer = status, body
    with pytest.raises(TokenError, match=told) as caught:
        await source(endpoint, ManualClock()).token()
    assert "hunter2" not in str(caught.value)


async def test_a_wrong_secret_is_told(endpoint: TokenEndpoint) -> None:
    with pytest.raises(TokenError, match=r"who is that\?.*no token is given"):
        await source(endpoint, ManualClock(), secret="hunter2").token()


async def test_an_endpoint_that_is_not_there_is_told() -> None:
    it = ClientCredentials(
        Service("http://127.0.0.1:1/token", 2.0), client="a", secret="b", scope="", shown={}, clock=ManualClock()
    )
    with pytest.raises(TokenError, match=r"http://127\.0\.0\.1:1/token does not answer"):
        await it.token()


def oauth(**more: str) -> dict[str, str]:
    return {
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "OAUTHBEARER",
        "sasl.oauthbearer.token.endpoint.url": "http://127.0.0.1:1/token",
        "sasl.oauthbearer.client.id": CLIENT,
        "sasl.oauthbearer.client.secret": SECRET,
        **more,
    }


def test_all_clients_of_a_process_share_one_source() -> None:
    settings = KafkaSettings.model_validate(oauth(**{"sasl.oauthbearer.extensions": "logicalCluster=lkc-1, poolId=p"}))
    one, other = connect(settings), connect(KafkaSettings.model_validate(settings.model_dump(by_alias=True)))
    assert one.tokens is not None
    assert one.tokens is other.tokens
    assert one.options()["sasl_mechanism"] == "OAUTHBEARER"
    assert one.options()["sasl_oauth_token_provider"] is one.tokens
    assert isinstance(one.tokens, ClientCredentials)
    assert one.tokens.extensions() == {"logicalCluster": "lkc-1", "poolId": "p"}
    assert _credentials(one).oauth_cb is one.tokens
    assert "hunter2" not in repr(one) + repr(settings)


def test_a_password_needs_no_tokens() -> None:
    assert token_source(KafkaSettings()) is None


async def test_amazon_gets_a_signed_url_made_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2-aws")
    it = MskIam(region="eu-west-1", role=None, clock=ManualClock())
    import base64

    token = await it.token()
    url = base64.urlsafe_b64decode(token + "==").decode()
    assert url.startswith("https://kafka.eu-west-1.amazonaws.com/?Action=kafka-cluster%3AConnect")
    assert "X-Amz-Credential=AKIDEXAMPLE" in url
    assert "hunter2" not in url
    assert await it.token() == token


async def test_without_credentials_of_amazon_it_says_where_to_look(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(_: str) -> tuple[str, int]:
        raise ValueError("Cannot find credentials for account 123456789012")

    it = MskIam(region="eu-west-1", role=None, clock=ManualClock())
    monkeypatch.setattr(it._signer, "generate_auth_token", nothing)
    with pytest.raises(TokenError, match=r"gives no credentials for kafka\.aws\.region eu-west-1") as caught:
        await it.token()
    assert "123456789012" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"sasl.oauthbearer.client.secret": None}, "kafka.sasl.oauthbearer.client.secret: is needed with OAUTHBEARER"),
        ({"sasl.oauthbearer.token.endpoint.url": "login.example.com"}, "not a URL without user"),
        ({"sasl.username": "me"}, "is not used with OAUTHBEARER"),
        ({"aws.region": "eu-west-1"}, "is not used with OAUTHBEARER"),
        ({"sasl.mechanism": "AWS_MSK_IAM"}, "kafka.aws.region: is needed with AWS_MSK_IAM"),
        ({"sasl.mechanism": "AWS_MSK_IAM", "aws.region": "eu-west-1"}, "SASL_PLAINTEXT does not encrypt"),
        ({"sasl.mechanism": "AWS_MSK_IAM", "aws.region": "nowhere"}, "kafka.aws.region"),
        ({"sasl.oauthbearer.extensions": "a"}, "not name=value"),
        ({"sasl.mechanism": "GSSAPI"}, "not supported"),
    ],
)
def test_what_does_not_go_together_is_told(changes: dict[str, str | None], told: str) -> None:
    found = {name: value for name, value in {**oauth(), **changes}.items() if value is not None}
    with pytest.raises(SettingsError) as caught:
        load_settings(file=None, environ={}, overrides={f"kafka.{name}": value for name, value in found.items()})
    assert told in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "aws_msk_iam_sasl_signer", None)
    with pytest.raises(SettingsError, match=r"kafka-sms-connector\[msk\]"):
        broker_tokens.MskIam(region="eu-west-1", role=None, clock=ManualClock())
