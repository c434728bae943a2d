"""Prometheus's programs, or why they cannot be had: then the tests are skipped, and fail where CI is set."""

from __future__ import annotations

import pytest

from tests.kafka.find import required
from tests.prometheus.binaries import Binaries, PrometheusUnavailableError, binaries


@pytest.fixture(scope="session")
def programs() -> Binaries:
    """Where they are."""
    try:
        return binaries()
    except PrometheusUnavailableError as reason:
        if required():
            pytest.fail(f"CI must play the alert rules: {reason}")
        pytest.skip(f"alert rules are not played: {reason}")
