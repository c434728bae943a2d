"""The configured definitions as a worker takes them: loaded, told about, held against the settings."""

from __future__ import annotations

import structlog

from connector import logs
from connector.cli.fit import misfits, unrouted
from connector.config_text.environment import Environment
from connector.definition.load import load_all
from connector.definition.tree import Definition
from connector.definition.watch import Fingerprint, fingerprint
from connector.errors import DefinitionError
from connector.settings import Settings

log = structlog.get_logger(__name__)


class ConfiguredDefinitions:
    """Those that the setting `providers` names, as often as they are asked for.

    Attributes:
        loaded: the fingerprint of what was loaded last.
    """

    def __init__(self, settings: Settings, environment: Environment) -> None:
        self._settings = settings
        self._environment = environment
        self._last: dict[str, Definition] = {}
        self.loaded: Fingerprint = {}

    def load(self) -> dict[str, Definition]:
        """All of them, by name. From then on no log line shows their secrets.

        Raises:
            DefinitionError: with every problem at once.
        """
        definitions = load_all(self._settings.providers, self._environment)
        for definition in definitions.values():
            logs.SECRETS.add(definition.secrets.values())
            for warning in definition.warnings:
                log.warning("definition", warning=str(warning))
        if problems := [*misfits(definitions.values(), self._settings), *unrouted(definitions, self._settings)]:
            raise DefinitionError(problems)
        self._last = definitions
        self.loaded = self.fingerprint()
        return definitions

    def fingerprint(self) -> Fingerprint:
        """Equal as long as no file has changed that they are made from."""
        return fingerprint(self._settings.providers, self._last.values(), self._environment)
