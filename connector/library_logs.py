"""What libraries log, said in our words: one line a state, whatever the library writes for each try.

While a broker is away aiokafka writes a hundred lines a second, from a dozen places, each at level error and in the
words of the protocol. Somebody who is woken by an alert has to know one thing: which broker, and why. So these lines
become one sentence per broker, written when it begins and then once a minute with a count. What is ordinary (a group
that is rebalancing, services that start) is for `log.level: debug`. What is not known here is passed on as it is.
"""

from __future__ import annotations

import logging
import re
from typing import Final, NamedTuple

from connector.clock import Clock
from connector.errors import ConnectorError

REPEAT_SECONDS: Final = 60.0
"""How often a state that lasts is said again, with the number of lines that it stands for."""
STATES: Final = 1_000
"""Remembered at once; a cluster has fewer brokers."""
CALM_SECONDS: Final = 5.0
"""Without a new line for so long, and with answered heartbeats, brokers are back."""

KAFKA: Final = "kafka"
"""The logger that such lines name."""
AWAY: Final = "a broker does not answer; asking again until it does"


class Sentence(NamedTuple):
    """What a line means. `event` None: it is for `debug` only."""

    level: int
    event: str | None


ORDINARY: Final = Sentence(logging.DEBUG, None)
_AWAY: Final = Sentence(logging.WARNING, AWAY)
_LEADERLESS: Final = Sentence(logging.INFO, "a partition has no leader, or another one, for now; asking again")

# (how the name of the logger begins, what the line holds, what it means); the first that fits counts.
_SENTENCES: Final = [
    (library, re.compile(holds, re.DOTALL), sentence)
    for library, holds, sentence in (
        ("aiokafka", r"because it is rebalancing|Heartbeat failed.*rejoin", ORDINARY),
        ("aiokafka", r"CoordinatorNotAvailable|LoadInProgress|NotCoordinator|^Marking the coordinator", ORDINARY),
        ("aiokafka", r"is not available|LeaderNotAvailable|NotLeaderForPartition|UnknownLeaderEpoch", _LEADERLESS),
        ("aiokafka", r"^Unable (to )?connect to|^Unable to (update|request) metadata", _AWAY),
        ("aiokafka", r"^Failed fetch messages from|^Group Coordinator Request failed", _AWAY),
        ("aiokafka", r"^Error sending \w+ to node", _AWAY),
        ("aiokafka", r"^Heartbeat (send request|session expired|failed for)|^Got error produce response: ", _AWAY),
        ("aiokafka", r"NodeNotReady|KafkaConnectionError|RequestTimedOut|Connection at .* closed", _AWAY),
    )
]  # fmt: skip

_BROKER: Final = (
    re.compile(r"\bnode (?:with id |id )?(\d+)"),
    re.compile(r"\bmessages from (\d+)"),
    re.compile(r"\bmetadata from \[(\d+)\]"),
    re.compile(r"\('?([\w.:-]+)'?, (\d+)\)"),
    re.compile(r"Connection at ([\w.:-]+) closed"),
)
REFUSED: Final = "not authenticated"
_WHY: Final = (
    (re.compile(r"Errno 111|refused"), "connection refused"),
    (re.compile(r"Name or service not known|nodename nor servname|getaddrinfo|failure in name"), "no such host"),
    (re.compile(r"No route|unreachable"), "no route to it"),
    (re.compile(r"[Tt]ime[d ]?[Oo]ut"), "no answer in time"),
    (re.compile(r"[Aa]uthenticat|SASL|SSL"), REFUSED),
    (re.compile(r"closed|reset"), "connection closed"),
)  # fmt: skip

_REFUSAL: Final = re.compile(r"(?:Failed|Error): (.+)$|\[SSL: [A-Z_]+\] (.+?)(?: \(_ssl|$)", re.DOTALL)
"""What the broker, or the check of its certificate, says of who may not in: a person needs just these words."""

_mode_label = re.compile(r"\[\^-*\w+\]: ")
"""What mode's services put before each of their lines, whatever logger they write to: ours, where the class is ours."""


class _LastingState:
    """A sentence that holds of a broker for now."""

    __slots__ = ("broker", "first", "last", "lines", "said")

    def __init__(self, broker: str, now: float) -> None:
        self.broker = broker
        self.first = self.last = self.said = now
        self.lines = 0


class LibraryLines(logging.Filter):
    """On a handler: turns what libraries write into what is said here, and lets the rest through.

    Args:
        level: from which on lines are written; at DEBUG everything is passed on as it is.
    """

    def __init__(self, clock: Clock, *, level: int = logging.INFO) -> None:
        super().__init__()
        self._clock = clock
        self._level = level
        self._states: dict[tuple[str, str], _LastingState] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if self._level <= logging.DEBUG:
            return True
        if isinstance(record.msg, str) and (label := _mode_label.match(record.msg)) is not None:
            return self._of_mode(record, label.end())
        library = record.name.partition(".")[0]
        if library not in ("aiokafka", "faust", "mode"):
            return True
        message = record.getMessage()
        for start, holds, sentence in _SENTENCES:
            if record.name.startswith(start) and holds.search(message):
                return sentence.event is not None and self._say(record, sentence.event, sentence.level, message)
        return self._say(record, message, record.levelno, message)

    def answering(self) -> float | None:
        """Brokers have answered since the last line: for how many seconds one did not, once. None: none was away."""
        now, away = self._clock.monotonic(), [it for (event, _), it in self._states.items() if event == AWAY]
        if not away or now - max(it.last for it in away) < CALM_SECONDS:
            return None
        seconds = max(it.last for it in away) - min(it.first for it in away)
        for key in [key for key in self._states if key[0] == AWAY]:
            del self._states[key]
        return seconds

    def _of_mode(self, record: logging.LogRecord, label: int) -> bool:
        """A service that starts or stops is no state of the worker; what crashed is, by its traceback."""
        error = record.exc_info[1] if record.exc_info else None
        if record.levelno < logging.WARNING or isinstance(error, ConnectorError) or record.name == "faust.worker":
            return False  # the worker says at its end what ended it
        record.msg = str(record.msg)[label:]
        return True

    def _say(self, record: logging.LogRecord, event: str, level: int, message: str) -> bool:
        """Whether this line is written: the first of its kind, and then one a minute."""
        if level < self._level:
            return False
        now, broker = self._clock.monotonic(), _first(_BROKER, message)
        if event == AWAY and not broker:  # which one, another line says
            broker = next((it.broker for (said, _), it in self._states.items() if said == AWAY), "")
        state = self._states.get((event, broker))
        fresh = state is None
        if state is None:
            if len(self._states) >= STATES:
                self._states.clear()
            state = self._states[event, broker] = _LastingState(broker, now)
        state.last = now
        if not fresh and now - state.said < REPEAT_SECONDS:
            state.lines += 1
            return False
        state.said = now
        about: dict[str, str | int] = {} if fresh else {"seconds": round(now - state.first), "tries": state.lines}
        state.lines = 0
        record.name, record.levelno, record.levelname = KAFKA, level, logging.getLevelName(level)
        record.msg, record.args = event, None
        if event == AWAY:
            record.exc_info = record.exc_text = None
            about |= {"broker": broker} if broker else {}
            about |= {"why": why} if (why := _why(message)) else {}
        vars(record).update(about)
        return True


def plain_reason(line: str) -> str:
    """Why a connection failed, out of what the library says of it; the line itself where that is not known."""
    why, broker = _why(line), _first(_BROKER, line)
    return line if why is None else f"{broker}: {why}" if broker else why


def _why(line: str) -> str | None:
    why = next((why for found, why in _WHY if found.search(line)), None)
    if why == REFUSED and (said := _REFUSAL.search(line)) is not None:
        return f"{why}: {said[1] or said[2]}"
    return why


def _first(patterns: tuple[re.Pattern[str], ...], text: str) -> str:
    found = next((match for pattern in patterns if (match := pattern.search(text)) is not None), None)
    return "" if found is None else ":".join(found.groups())
