"""Faust reads about eighty environment variables without a prefix, and lets them beat its arguments.

`env={}` in connector/stream/faust/app.py gives it an environment without any; what it reads while it is imported is
another matter: connector/stream/faust/environment_guard.py takes it away before the import.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import faust
import pytest

from connector.kafka.clients import connect
from connector.kafka.skipped import Skipped
from connector.settings import Settings
from connector.stream.faust.app import create_app
from tests.stream.members import membership

# A few of them by name: what each would do to a connector.
HARMFUL = {
    "BROKER_URL": "kafka://elsewhere:1",
    "CONSUMER_AUTO_OFFSET_RESET": "latest",
    "CONSUMER_GROUP_INSTANCE_ID": "same-everywhere",
    "APP_VERSION": "7",
    "STREAM_WAIT_EMPTY": "1",
    "TOPIC_DISABLE_LEADER": "0",
    "WEB_PORT": "9999",
    "APP_WEB_ENABLED": "1",
    "BROKER_MAX_POLL_INTERVAL": "1",
}


_FRESH = {"datadir", "tabledir", "reply_to"}  # different each time


def configuration() -> dict[str, Any]:
    settings = Settings.model_validate({"group": "g", "kafka": {"bootstrap.servers": "broker:9092"}})
    conf = create_app(settings, connect(settings.kafka), skipped=Skipped(), membership=membership(settings)).conf
    return {name: str(getattr(conf, name)) for name in set(conf.setting_names()) - _FRESH}


def test_no_variable_of_faust_reaches_the_app(monkeypatch: pytest.MonkeyPatch) -> None:
    clean = configuration()
    known = {param.env_name for param in faust.Settings.SETTINGS.values() if param.env_name}
    assert set(HARMFUL) <= known
    assert len(known) > 70
    for name in known:
        monkeypatch.setenv(name, HARMFUL.get(name, "1"))
    assert configuration() == clean


def test_without_our_empty_environment_they_would(monkeypatch: pytest.MonkeyPatch) -> None:
    """When this fails Faust has changed, and `env={}` may go."""
    monkeypatch.setenv("BROKER_URL", HARMFUL["BROKER_URL"])
    monkeypatch.setenv("CONSUMER_AUTO_OFFSET_RESET", "latest")
    conf = faust.App("g", broker="kafka://broker:9092", consumer_auto_offset_reset="earliest").conf
    assert (str(conf.broker[0]), conf.consumer_auto_offset_reset) == ("kafka://elsewhere:1", "latest")


AT_IMPORT = {
    "FAUST_LOOP": "nonsense",
    "F_LOOP": "nonsense",
    "FAUST_BLOCKING_TIMEOUT": "soon",
    "F_WEB_PORT": "http",
    "FAUST_DEBUG": "1",
    "NO_CYTHON": "1",
    "DJANGO_SETTINGS_MODULE": "site.settings",
}

IMPORTS = """
import connector.stream.faust.app, faust, faust.streams, faust.types._env
assert faust.streams._CStreamIterator is not None, "pure Python streams"
assert not faust.types._env.DEBUG, "debug"
faust.App("g", env={}, broker="kafka://broker:9092").conf
"""


@pytest.mark.parametrize("name", AT_IMPORT)
def test_what_faust_reads_at_import_does_not_reach_it(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", IMPORTS],
        env={**os.environ, name: AT_IMPORT[name]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
