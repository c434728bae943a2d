"""Every error this package raises on purpose.

ConnectorError
├── UsageError              the command line is wrong (exit code 2)
├── ConfigurationError      something to mend before a start; carries every Problem at once (exit code 78)
│   ├── SettingsError       connector.yaml, environment, flags
│   ├── DefinitionError     a provider definition
│   ├── TopicError          the topics on the cluster do not fit
│   └── RefusedError        Kafka refuses for good what has to be written
├── MessageError            one message cannot be sent; it becomes an `invalid` result and the stream goes on
├── RequestError            an HTTP attempt ended without a usable reply
├── StreamError             results, the journal or retry records could not be handed over: no provider's fault
└── WithheldError           a request did not leave: the group has not confirmed the membership
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to mend, complete enough to mend it without reading code.

    Attributes:
        message: what is wrong, with the offending value (masked by the caller when it is secret).
        remedy: what to write instead.
        file: the file, environment variable or flag it stands in.
        path: the path inside the file, dotted (`operations[0].batching.records`).
        line, column: counted from 1; None where the source has no lines.
    """

    message: str
    remedy: str = ""
    file: str = ""
    path: str = ""
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        place = self.file
        if self.line is not None:
            place += f":{self.line}"
            if self.column is not None:
                place += f":{self.column}"
        parts = [part for part in (place, self.path) if part]
        text = ": ".join([*parts, self.message])
        return f"{text}; {self.remedy}" if self.remedy else text


class ConnectorError(Exception):
    """Base of every error raised on purpose by this package."""

    exit_code = 1


class UsageError(ConnectorError):
    """The command line is wrong."""

    exit_code = 2


class ConfigurationError(ConnectorError):
    """Something a person must mend before the process can run; restarting does not help.

    Attributes:
        problems: every problem found, in the order of the file.
    """

    exit_code = 78

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class SettingsError(ConfigurationError):
    """Settings are wrong."""


class DefinitionError(ConfigurationError):
    """A provider definition is wrong."""


class TopicError(ConfigurationError):
    """The topics on the cluster do not fit the connector."""


class RefusedError(ConfigurationError):
    """Kafka refuses for good what has to be written: without a record of it, nothing may be sent."""


class MessageError(ConnectorError):
    """One message cannot be sent as it is.

    Attributes:
        reason: for the result; names fields, never contains phone numbers, bodies or secrets.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class StreamError(ConnectorError):
    """What the worker does with messages outside of their lane has failed; the cause says how. It ends the worker."""


class Phase(StrEnum):
    """How far an HTTP attempt had come when it failed."""

    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    AUTH = "auth"
    WRITE = "write"
    READ = "read"
    PROTOCOL = "protocol"


class RequestError(ConnectorError):
    """An HTTP attempt ended without a usable reply.

    Attributes:
        phase: how far it had come.
        uncertain: True when bytes of the request may have reached the provider, so it may have been taken.
        timed_out: True when it ended because a time limit was reached: the provider may be overloaded.
        answered: True when an answer came that does not even say a status: the messages are `unknown`, and never sent
            again.
        reason: for logs and results; without secrets and phone numbers.
    """

    def __init__(
        self, phase: Phase, reason: str, *, uncertain: bool, timed_out: bool = False, answered: bool = False
    ) -> None:
        self.phase = phase
        self.uncertain = uncertain
        self.timed_out = timed_out
        self.answered = answered
        self.reason = reason
        super().__init__(f"{phase}: {reason}")


class WithheldError(ConnectorError):
    """A request was not written: this worker may no longer be the one to send it. Its messages are as before."""
