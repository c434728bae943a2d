"""The receiver's own certificate, taken anew when its files change: they are renewed while it runs."""

from __future__ import annotations

import ssl
from pathlib import Path

import structlog

from connector.errors import Problem, SettingsError
from connector.settings.way_back import Receive

log = structlog.get_logger(__name__)

Stamps = tuple[tuple[int, int, int], ...]


class ServerCertificate:
    """Certificate and key as the settings name them.

    Attributes:
        context: for new connections; those that stand keep the certificate they began with.

    Raises:
        SettingsError: they cannot be used.
    """

    def __init__(self, certificate: str, key: str | None) -> None:
        self._certificate = Path(certificate)
        self._key = None if key is None else Path(key)
        self._seen = self._stamps()
        self._told: Stamps = ()
        try:
            self.context = self._loaded()
        except OSError as error:  # ssl.SSLError is one
            remedy = "name readable PEM files without a password; the key must belong to the certificate"
            message = f"{self._named()} cannot be used: {_why(error)}"
            raise SettingsError([Problem(message, remedy, path="receive.certificate")]) from error

    def look(self) -> None:
        """Take the files where they have changed. Those that cannot be used are told of, and looked at again."""
        stamps = self._stamps()
        if stamps == self._seen:
            return
        try:
            self._loaded()  # what does not fit together must not spoil the context that is in use
            self.context.load_cert_chain(self._certificate, self._key, password="")
        except OSError as error:
            if stamps != self._told:
                self._told = stamps
                log.error("certificate not renewed: the one in use stays", file=self._named(), why=_why(error))  # noqa: TRY400
            return
        self._seen = stamps
        log.info("certificate renewed", file=self._named())

    def _loaded(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        # A password is always given, because OpenSSL would ask for a missing one on the terminal and wait.
        context.load_cert_chain(self._certificate, self._key, password="")
        return context

    def _stamps(self) -> Stamps:
        """What changes with the files, also where a link leads elsewhere, as in mounted volumes."""
        found = []
        for file in filter(None, (self._certificate, self._key)):
            try:
                now = file.stat()
            except OSError:
                continue
            found.append((now.st_mtime_ns, now.st_size, now.st_ino))
        return tuple(found)

    def _named(self) -> str:
        return ", ".join(str(file) for file in (self._certificate, self._key) if file is not None)


def server_certificate(receive: Receive) -> ServerCertificate | None:
    """As the settings say; None where a balancer ends TLS. Raises SettingsError."""
    return None if receive.certificate is None else ServerCertificate(receive.certificate, receive.key)


def _why(error: OSError) -> str:
    return getattr(error, "reason", None) or error.strerror or type(error).__name__
