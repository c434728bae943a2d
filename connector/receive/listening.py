"""The port that callbacks come to."""

from __future__ import annotations

import socket

from connector.errors import Problem, SettingsError
from connector.settings.way_back import Receive


def bind(receive: Receive) -> socket.socket:
    """Take the port, before anything else is done. Nobody can connect yet.

    Raises:
        SettingsError: it cannot be had.
    """
    host, _, port = receive.listen.rpartition(":")
    host = host.strip("[]")
    every = not host and socket.has_dualstack_ipv6()
    made = socket.socket(socket.AF_INET6 if every or ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if every:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        made.bind((host, int(port)))
        made.setblocking(False)
    except OSError as error:
        made.close()
        remedy = "set receive.listen to an address of this host and a port that is free"
        message = f"cannot listen on {receive.listen}: {error.strerror or type(error).__name__}"
        raise SettingsError([Problem(message, remedy, path="receive.listen")]) from error
    return made
