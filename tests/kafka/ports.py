"""Ports for the tests' servers."""

from __future__ import annotations

import os
import random
import socket

# Below Linux's ephemeral range (32768 on): while a broker is down, no outgoing connection can take its port.
_RANGE = range(20_000, 30_000)
# Of the processes of one run (pytest-xdist) each takes its own, so that a broker finds its port again when it restarts.
_PROCESS, _PROCESSES = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]), 8
_given: set[int] = set()


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody listens on, each given once per run."""
    found: list[int] = []
    ours = _RANGE[_PROCESS % _PROCESSES :: _PROCESSES]
    for port in random.sample(ours, len(ours)):
        if len(found) == count:
            break
        if port in _given:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        _given.add(port)
    return found
