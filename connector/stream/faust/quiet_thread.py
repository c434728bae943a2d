"""mode's thread of a service, changed where it crashes.

mode writes a traceback to standard error then, past the log that masks what is private, and Python another when the
thread ends. When the worker's end comes to the thread later, its loop is closed: a further error, a further traceback,
and the rest of its stop left undone. Why it crashed is in the log already.
"""

from __future__ import annotations

from typing import Any

import structlog
from mode.threads import ServiceThread

log = structlog.get_logger(__name__)


class QuietThread(ServiceThread):
    """Crashes into the log only, and can be stopped all the same."""

    abstract = True

    def on_crash(self, msg: str, *fmt: Any, **kwargs: Any) -> None:
        """Say nothing: `crash`, which comes next, says it in the log."""

    def _start_thread(self) -> None:
        try:
            super()._start_thread()
        except Exception as error:
            if error is not self.crash_reason:
                log.exception("a thread did not end in order", thread=self.label)

    def _stopped_set(self) -> None:
        try:
            super()._stopped_set()
        except RuntimeError:
            if not self.thread_loop.is_closed():
                raise
            self._stopped.set()  # the thread has ended: nobody there waits to be told
