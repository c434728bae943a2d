"""A gateway and a mobile network per test; where no gateway can be had, one plain line says why."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.kannel import Kannel
from tests.gateway.packages import NoGatewayError, Programs, must_be_had, programs
from tests.gateway.smsc import Smsc
from tests.integration.conftest import make_pipeline, pipeline

__all__ = ["make_pipeline", "pipeline"]

_REASON = pytest.StashKey[str]()


@pytest.fixture(scope="session")
def kannel_programs(pytestconfig: pytest.Config) -> Programs:
    """Skips where they cannot be had; fails where they have to be."""
    try:
        return programs()
    except NoGatewayError as reason:
        pytestconfig.stash[_REASON] = str(reason)
        if must_be_had():
            pytest.fail(f"{reason} (CI is set: a skip is a failure)", pytrace=False)
        pytest.skip(str(reason))


@pytest.fixture
def make_gateway(tmp_path: Path, kannel_programs: Programs) -> Iterator[Callable[..., tuple[Kannel, Smsc]]]:
    """Start a gateway, and the network that it is connected to: `make_gateway(queue=20)`."""
    made: list[tuple[Kannel, Smsc]] = []

    def make(**options: Any) -> tuple[Kannel, Smsc]:
        gateway = Kannel(tmp_path / f"kannel-{len(made)}", kannel_programs, **options)
        network = Smsc(gateway.network)
        made.append((gateway, network))
        network.come()
        gateway.start()
        network.wait_bound()
        return gateway, network

    yield make
    for gateway, network in made:
        gateway.stop()
        network.go()


@pytest.fixture
def gateway(make_gateway: Callable[..., tuple[Kannel, Smsc]]) -> tuple[Kannel, Smsc]:
    """One that nothing is wrong with."""
    return make_gateway()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if reason := config.stash.get(_REASON, ""):
        terminalreporter.write_line(f"No SMS gateway: {reason}", red=True, bold=True)
