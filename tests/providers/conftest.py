"""AWS credentials, which botocore finds in the environment; certificates are read once."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

import pytest

from connector.delivery.http import client
from connector.request import sigv4

from .shipped import DEMO


@pytest.fixture(autouse=True)
def aws_credentials(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Those of the fakes, and none of this machine's."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
        monkeypatch.setenv(name, DEMO[name])
    sigv4._session.cache_clear()
    yield
    sigv4._session.cache_clear()


@pytest.fixture(scope="session")
def context() -> ssl.SSLContext:
    return ssl.create_default_context()


@pytest.fixture(autouse=True)
def certificates_read_once(context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading them takes 40 ms of every transport; the fakes speak plain HTTP."""
    monkeypatch.setattr(client, "_ssl_context", lambda _definition: context)
