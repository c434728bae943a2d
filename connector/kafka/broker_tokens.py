"""Access tokens for brokers (SASL/OAUTHBEARER): OpenID Connect client credentials, and AWS IAM for Amazon MSK.

aiokafka asks for a token with each new connection, on whatever loop that is made (Faust's consumer has one of its own).
One that is asked for anew for each would be many requests in an outage of brokers, so it is kept for most of its life.
Brokers end a connection when its token does (`connections.max.reauth.ms`); the next one is made with a new token.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from abc import abstractmethod
from collections.abc import Mapping
from functools import lru_cache
from weakref import WeakKeyDictionary

from aiokafka.abc import AbstractTokenProvider
from aiokafka.errors import KafkaConnectionError

from connector.clock import Clock, SystemClock
from connector.errors import Problem, SettingsError
from connector.json_service import Service, ServiceError, trust
from connector.settings.kafka import KafkaSettings

FRESH_SHARE = 0.8
"""Of its life a token is used without a thought; in the rest another one is asked for, and this one used where that
fails."""
AGAIN_SECONDS = 1.0
"""After a failure, so long nobody asks again: clients connect to brokers ten times in a second."""
UNTOLD_SECONDS = 300.0
"""A token's life where its endpoint says nothing of it."""
ENDPOINT_SECONDS = 5.0
"""Shorter than what setting a connection up may take."""


class TokenError(KafkaConnectionError):  # type: ignore[misc]  # aiokafka is not typed
    """There is no token: as for aiokafka, a broker that cannot be connected to now."""


class TokenSource(AbstractTokenProvider):  # type: ignore[misc]
    """Keeps a token. Safe from several loops at once."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._guard = threading.Lock()
        self._asking: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()
        self._token = ""
        self._fresh_until = self._ends = float("-inf")
        self._failure: tuple[str, float] | None = None

    async def token(self) -> str:
        """A token that is valid now. Raises TokenError."""
        if self._clock.monotonic() < self._fresh_until:
            return self._token
        with self._guard:
            lock = self._asking.setdefault(asyncio.get_running_loop(), asyncio.Lock())
        async with lock:
            now = self._clock.monotonic()
            if now < self._fresh_until:
                return self._token
            if self._failure is not None and now < self._failure[1]:
                return self._old_or(self._failure[0])
            try:
                token, seconds = await self._ask()
            except ServiceError as error:
                self._failure = error.why, self._clock.monotonic() + AGAIN_SECONDS
                return self._old_or(error.why)
            self._token, self._failure = token, None
            self._ends = now + seconds
            # Workers that were started together do not ask together.
            self._fresh_until = now + seconds * FRESH_SHARE * random.uniform(0.9, 1.0)  # noqa: S311
            return token

    def _old_or(self, why: str) -> str:
        if self._clock.monotonic() < self._ends:
            return self._token
        raise TokenError(why)

    @abstractmethod
    async def _ask(self) -> tuple[str, float]:
        """A new token, and how many seconds it is valid. Raises ServiceError."""


class ClientCredentials(TokenSource):
    """OpenID Connect: the endpoint gives a token for an id and a secret.

    Args:
        endpoint: asked with HTTP Basic, as RFC 6749 wants it of every server.
        scope: what the token is for; "" where the server knows.
        shown: what brokers are told besides (Confluent Cloud: logicalCluster, identityPoolId).
    """

    def __init__(
        self, endpoint: Service, *, client: str, secret: str, scope: str, shown: Mapping[str, str], clock: Clock
    ) -> None:
        super().__init__(clock)
        self._endpoint = endpoint
        self._form = {"grant_type": "client_credentials"} | ({"scope": scope} if scope else {})
        self._credentials = client, secret
        self._shown = dict(shown)

    def extensions(self) -> dict[str, str]:
        """For aiokafka."""
        return self._shown

    async def _ask(self) -> tuple[str, float]:
        try:
            answer = await self._endpoint.ask(form=self._form, credentials=self._credentials)
        except ServiceError as error:
            if error.status in {400, 401, 403}:
                remedy = "look at kafka.sasl.oauthbearer.client.id, .client.secret and .scope"
                raise ServiceError(f"{error.why}: no token is given; {remedy}", status=error.status) from error
            raise
        token = answer.get("access_token") if isinstance(answer, dict) else None
        if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not token:
            raise ServiceError(f"{self._endpoint.url} answers without an access_token")
        seconds = answer.get("expires_in")
        return token, float(seconds) if isinstance(seconds, int | float) and seconds > 0 else UNTOLD_SECONDS


class MskIam(TokenSource):
    """Amazon MSK: a token is a signed URL, made here from the credentials of the environment.

    Raises:
        SettingsError: the extra `msk` is not installed.
    """

    def __init__(self, *, region: str, role: str | None, clock: Clock) -> None:
        super().__init__(clock)
        try:
            from aws_msk_iam_sasl_signer import MSKAuthTokenProvider as signer  # noqa: N813  a module
        except ImportError as error:
            remedy = "pip install 'kafka-sms-connector[msk]'"
            problem = Problem("AWS_MSK_IAM needs what the extra `msk` installs", remedy, path="kafka.sasl.mechanism")
            raise SettingsError([problem]) from error
        self._signer = signer
        self._region, self._role = region, role

    def _signed(self) -> tuple[str, int]:
        if self._role is None:
            found: tuple[str, int] = self._signer.generate_auth_token(self._region)
        else:
            found = self._signer.generate_auth_token_from_role_arn(self._region, self._role)
        return found

    async def _ask(self) -> tuple[str, float]:
        try:
            # Credentials may come over HTTP (instance metadata, STS), by a library that blocks.
            async with asyncio.timeout(2 * ENDPOINT_SECONDS):
                token, ends = await asyncio.to_thread(self._signed)
        except Exception as error:  # botocore has a tree of its own
            why = f"AWS gives no credentials for kafka.aws.region {self._region} ({type(error).__name__})"
            raise ServiceError(f"{why}: look at the role, or the variables AWS_…, of this process") from error
        return token, ends / 1000 - time.time()


@lru_cache(maxsize=8)
def token_source(kafka: KafkaSettings) -> TokenSource | None:
    """Where tokens come from, one for all clients of a process; None where none are used.

    Raises:
        SettingsError: a file or a package is missing.
    """
    clock = SystemClock()
    if kafka.sasl_mechanism == "AWS_MSK_IAM":
        return MskIam(region=kafka.aws_region or "", role=kafka.aws_role_arn, clock=clock)
    if kafka.sasl_mechanism != "OAUTHBEARER":
        return None
    secret = kafka.sasl_oauthbearer_client_secret
    endpoint = Service(
        kafka.sasl_oauthbearer_token_endpoint_url or "",
        ENDPOINT_SECONDS,
        tls=trust(kafka.https_ca_location, "kafka.https.ca.location"),
    )
    return ClientCredentials(
        endpoint,
        client=kafka.sasl_oauthbearer_client_id or "",
        secret="" if secret is None else secret.get_secret_value(),
        scope=kafka.sasl_oauthbearer_scope or "",
        shown=kafka.extensions,
        clock=clock,
    )
