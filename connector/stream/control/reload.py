"""Definitions that change while a worker runs: taken over when they are right, told about when they are not."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Protocol

import structlog

from connector.definition.tree import Definition
from connector.errors import DefinitionError, Problem

log = structlog.get_logger(__name__)

# How often the files are looked at. SIGHUP looks at once.
RELOAD_LOOK_SECONDS = 3.0


class Definitions(Protocol):
    """Where definitions come from.

    Implemented by `ConfiguredDefinitions` (connector/cli/definitions.py), put in place in `connector/cli/run.py`.
    """

    def load(self) -> Mapping[str, Definition]:
        """All of them as they are now. Raises DefinitionError with every problem."""

    def fingerprint(self) -> object:
        """Equal as long as no file has changed."""

    @property
    def loaded(self) -> object:
        """The fingerprint of what was loaded last."""


class DefinitionUser(Protocol):
    """Works by definitions.

    Implemented by `Worker` (connector/stream/worker.py), put in place in `connector/stream/process.py`.
    Implemented by `JoinWorker` (connector/stream/receipts/join_worker.py), put in place in
    `connector/stream/receipts/join_process.py`.

    Attributes:
        definitions: in use.
    """

    @property
    def definitions(self) -> Mapping[str, Definition]: ...

    def define(self, definitions: Mapping[str, Definition]) -> None:
        """Use these from now on. Raises DefinitionError where it cannot; nothing has changed then."""

    def note_unused(self, places: Sequence[str]) -> None:
        """What is on disk is not in use, because of problems at these places; none: it is."""


class Reload:
    """Loads definitions again when their files change, or when told to.

    Args:
        source: where they come from; called on a thread of its own.
        user: takes what was loaded, and is told where the problems are while what is on disk is not in use.
    """

    def __init__(self, source: Definitions, user: DefinitionUser) -> None:
        self._source = source
        self._user = user
        self._seen = source.loaded
        self._asked = asyncio.Event()

    def ask(self) -> None:
        """Load again now, whether or not a file has changed."""
        self._asked.set()

    async def run(self) -> None:
        """Watch, for ever."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(RELOAD_LOOK_SECONDS):
                    await self._asked.wait()
            asked = self._asked.is_set()
            self._asked.clear()
            await self.look(asked=asked)

    async def look(self, *, asked: bool) -> None:
        """Load again where a file has changed, or where it was `asked` for."""
        try:
            seen = await asyncio.to_thread(self._source.fingerprint)
            if seen == self._seen and not asked:
                return
            self._seen = seen
            definitions = await asyncio.to_thread(self._source.load)
            before = dict(self._user.definitions)
            self._user.define(definitions)
        except DefinitionError as error:
            log.error("definitions not reloaded: the ones in use stay", why=str(error))  # noqa: TRY400  says it all
            self._user.note_unused([_place(problem) for problem in error.problems])
            return
        except Exception as error:
            log.exception("definitions not reloaded: the ones in use stay")
            self._user.note_unused([f"they cannot be read: {type(error).__name__}"])
            return
        self._user.note_unused(())
        log.info(
            "definitions reloaded",
            changed=sorted(name for name, it in definitions.items() if name in before and before[name] != it),
            added=sorted(definitions.keys() - before.keys()),
            removed=sorted(before.keys() - definitions.keys()),
        )


def _place(problem: Problem) -> str:
    """Where something is wrong, for a page without login: what is wrong there stands in the log."""
    line = "" if problem.line is None else f":{problem.line}"
    return ": ".join(part for part in (f"{problem.file}{line}", problem.path) if part) or "the definitions"
