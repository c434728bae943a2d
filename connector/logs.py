"""Logs: one line per event on standard error, for people on a terminal, as JSON elsewhere; nothing private in either.

Our own rooms log through structlog, libraries through the standard library; both go through the same processors, so
that a phone number in a library's traceback is masked like one of ours.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import MutableMapping, Sized
from typing import Any, TextIO

import structlog
from structlog.typing import Processor

from connector.clock import SystemClock
from connector.errors import ConfigurationError
from connector.library_logs import LibraryLines
from connector.masking import MASK, Secrets, mask_number, mask_phone
from connector.settings.model import Log

__all__ = ["SECRETS", "brokers_answer", "configure", "mask", "mask_phone"]

SECRETS = Secrets()
"""Values that no line may hold. Loading settings and definitions adds to it."""

NUMBER_KEYS = {"to", "msisdn", "recipient", "recipients", "phone", "mobile"}
TEXT_KEYS = {"body", "text", "template_variables", "custom", "raw", "payload"}
SECRET_KEYS = {"password", "secret", "token", "authorization", "api_key", "salt"}
# Ids and places: numbers in them are not phones, and without them a line leads nowhere.
PLAIN_KEYS = {"timestamp", "level", "logger", "message_id", "batch_id", "provider_message_id", "provider_batch_id"}
PLAIN_KEYS |= {"topic", "partition", "offset", "group", "generation", "client_id"}

_library_lines: LibraryLines | None = None


def configure(log: Log, *, stream: TextIO | None = None) -> None:
    """Send all logs of this process to `stream` (standard error), in the format and from the level of the settings.

    May be called again; the last call counts.
    """
    stream = stream or sys.stderr
    human = log.format == "human" or (log.format == "auto" and stream.isatty())
    renderer: Processor
    for_people: list[Processor] = []
    if human:
        if log.level != "debug":
            for_people.append(shorter)
        # Plain tracebacks: rich ones print local variables, and those hold messages.
        renderer = structlog.dev.ConsoleRenderer(
            colors=stream.isatty() and not os.environ.get("NO_COLOR"),
            pad_event_to=0,
            exception_formatter=structlog.dev.plain_traceback,
        )
    else:
        renderer = structlog.processors.JSONRenderer(ensure_ascii=False, default=str)
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        without_traceback,
        structlog.processors.format_exc_info,
        mask,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *for_people, renderer],
        )
    )
    global _library_lines  # noqa: PLW0603 - the process has one way out for logs, as it has one root logger
    _library_lines = LibraryLines(SystemClock(), level=logging.getLevelNamesMapping()[log.level.upper()])
    handler.addFilter(_library_lines)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(log.level.upper())
    logging.captureWarnings(capture=True)
    # Their `info` is what our `debug` is: each fetch, each request, each service that starts.
    libraries = logging.DEBUG if log.level == "debug" else max(logging.WARNING, root.level)
    for name in ("aiokafka", "faust", "mode", "aiohttp", "asyncio"):
        logging.getLogger(name).setLevel(libraries)


def brokers_answer() -> float | None:
    """To be asked while heartbeats are answered: for how many seconds a broker had not answered, once it does again."""
    return None if _library_lines is None else _library_lines.answering()


def without_traceback(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """As a structlog processor: what a person has to mend is told by its problems, not by where in the code it was met.

    Libraries log whatever passes them with a traceback, at any moment of a start.
    """
    found = event.get("exc_info")
    error = sys.exc_info()[1] if found is True else found[1] if isinstance(found, tuple) else found
    if isinstance(error, ConfigurationError):
        del event["exc_info"]
        if (why := str(error)) not in str(event.get("event")):
            event["why"] = why
    return event


def shorter(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """As a structlog processor: a line on a terminal has its time in seconds, and not which file wrote it."""
    event.pop("logger", None)
    event["timestamp"] = f"{event['timestamp'][:19].replace('T', ' ')}Z"
    return event


def mask(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """As a structlog processor: numbers, texts and secrets of an event become harmless."""
    for key, value in event.items():
        if not key.startswith("_"):
            event[key] = _mask_value(key, value)
    return event


def _mask_value(key: str, value: Any) -> Any:
    name = key.lower()
    if name in SECRET_KEYS:
        return MASK
    if name in TEXT_KEYS:
        return f"({len(value)})" if isinstance(value, Sized) else MASK
    if isinstance(value, dict):
        return {mask_phone(str(inner)): _mask_value(str(inner), item) for inner, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_mask_value(key, item) for item in value]
    if name in NUMBER_KEYS and value is not None:
        return mask_number(str(value))
    return value if value is None or isinstance(value, bool | int | float) else _mask_text(name, str(value))


def _mask_text(name: str, text: str) -> str:
    text = SECRETS.hide(text)
    return text if name in PLAIN_KEYS else mask_phone(text)
