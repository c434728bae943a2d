"""The section `web`: the console, where people look at all of it (`sms-connector console`)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, SecretStr, WithJsonSchema

from connector.config_text.units import UnitError
from connector.model import NUMBER
from connector.settings.section import Section

SECRET_CHARACTERS = 32
"""Of what signs sessions, and of what proves a proxy: at least."""

WORKERS = re.compile(r"group|dns:[A-Za-z0-9._-]+:[0-9]{1,5}|https?://[^/?#\s@]+/?")
HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]")
HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
PERSON = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._@+-]{0,62}[A-Za-z0-9])?")
PROPOSE = re.compile(r"https?://[^\s{}]+\{file\}[^\s{}]*")

RoleName = Literal["viewer", "operator", "editor"]


def _matching(pattern: re.Pattern[str], message: str, remedy: str) -> AfterValidator:
    def check(value: str) -> str:
        if pattern.fullmatch(value) is None:
            raise UnitError(message, remedy)
        return value

    return AfterValidator(check)


def _one_or_more(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _instant(value: Any) -> Any:
    if value is None:
        return None
    try:
        instant = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        raise UnitError("not a time", "write a time as 2027-01-31T08:00:00Z") from None
    if instant.tzinfo is None:
        raise UnitError("a time without a zone", "add Z or an offset, as in 2027-01-31T08:00:00+05:30")
    return instant.astimezone(UTC)


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ValueError, OSError, KeyError):  # which names reach the file system, and how, is not ours to know
        raise UnitError("no time zone", "write a name as Asia/Kolkata, or UTC") from None
    return value


def _secret(value: SecretStr) -> SecretStr:
    if len(value.get_secret_value()) < SECRET_CHARACTERS:
        raise UnitError(
            f"shorter than {SECRET_CHARACTERS} characters",
            "make one with `openssl rand -hex 32`, and name it as ${NAME}",
        )
    return value


Workers = Annotated[
    str, _matching(WORKERS, "no way to find workers", "write group, dns:NAME:PORT, or a URL as http://worker-1:8080")
]
HostName = Annotated[
    str, _matching(HOST, "no host name", "write the name in the address bar, without https:// and without a port")
]
TestNumber = Annotated[
    str, _matching(re.compile(NUMBER), "no phone number", "write E.164, as +919812345678, in quotes")
]
Proposal = Annotated[str, _matching(PROPOSE, "no address with {file}", "write https://git.example.com/…/{file}")]
HeaderName = Annotated[str, _matching(HEADER, "no name of a header", "write a name as X-Forwarded-User")]
Person = Annotated[str, _matching(PERSON, "no name of a person", "write letters, digits and . _ @ + - between them")]
LongSecret = Annotated[SecretStr, AfterValidator(_secret)]
Expiry = Annotated[
    datetime | None,
    BeforeValidator(_instant),
    PlainSerializer(lambda value: None if value is None else value.isoformat().replace("+00:00", "Z")),
    WithJsonSchema({"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]}),
]


class WebToken(Section):
    """A token that lets somebody in."""

    name: Person
    """Who has it: what the audit log says of them."""

    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """SHA-256 of the token, in hexadecimal. `sms-connector console token` makes both."""

    role: RoleName = "viewer"
    """`viewer` looks, `operator` pauses and resumes, `editor` changes definitions as well."""

    reveal: bool = False
    """May see numbers and texts of single messages, with a reason."""

    expires: Expiry = None
    """From then on it lets nobody in; null: never."""


class WebGroup(Section):
    """What members of a group of the proxy may do."""

    group: Annotated[str, Field(min_length=1, max_length=256)]
    """Its name, as the proxy says it."""

    role: RoleName = "viewer"
    """As of a token."""

    reveal: bool = False
    """As of a token."""


class WebProxy(Section):
    """A proxy that people sign in to, such as oauth2-proxy: it says who they are, and proves that it is the proxy."""

    secret: LongSecret | None = None
    """What the proxy sends with every request in `secret_header`; nobody else may know it."""

    secret_header: HeaderName = "X-Console-Secret"  # noqa: S105  its name
    """The header that proves the proxy."""

    user_header: HeaderName = "X-Forwarded-User"
    """The header with the person's name."""

    groups_header: HeaderName = "X-Forwarded-Groups"
    """The header with their groups, separated by commas."""

    groups: tuple[WebGroup, ...] = ()
    """What each group may do. Who is in none of them is not let in; of several roles the highest counts."""


class Web(Section):
    """The console: `sms-connector console`."""

    host: str = "127.0.0.1"
    """Address to listen on. Beyond this machine it needs `auth`, and TLS in front of it."""

    port: Annotated[int, Field(ge=0, le=65535)] = 8090
    """Port; 0 takes a free one."""

    hosts: tuple[HostName, ...] = ()
    """Names by which browsers reach it, such as `console.example.com`. Requests for any other name but those of this
    machine are refused: a page elsewhere could reach the console through a name of its own."""

    auth: Literal["none", "tokens", "proxy"] = "none"
    """Who is let in: `none` everybody, which is possible on this machine only; `tokens` those in `tokens`; `proxy` whom
    a proxy has let in."""

    tokens: tuple[WebToken, ...] = ()
    """Tokens of `auth: tokens`. A session ends when its token is gone, changed or expired."""

    session_key: LongSecret | None = None
    """Signs sessions. Null makes one at each start, which ends all sessions; several consoles need the same."""

    proxy: WebProxy = WebProxy()
    """The proxy of `auth: proxy`."""

    workers: Annotated[
        tuple[Workers, ...],
        BeforeValidator(_one_or_more, json_schema_input_type=str | tuple[str, ...]),
        Field(min_length=1),
    ] = ("group",)
    """Where workers answer: `group` (addresses of the group's members, at `health.port`), `dns:NAME:PORT` (every
    address of a name), or URLs."""

    environment: Annotated[str, Field(max_length=32)] = ""
    """Shown at the top of every page, such as `production`."""

    time_zone: Annotated[str, AfterValidator(_zone)] = "UTC"
    """Zone of the times on the pages; UTC is one click away."""

    definitions: str = "read-only"
    """Where Studio saves definitions: `read-only` nowhere (they come from an image, a ConfigMap, a repository), or a
    folder that workers read too, as `providers/`. Each is checked with all the others of the folder first."""

    propose: Proposal | None = None
    """Address at which a change of a definition is proposed, with `{file}` for its file: Studio opens it in a browser.
    Null has no such button."""

    test_numbers: tuple[TestNumber, ...] = ()
    """Numbers that Studio may send one message to, through a worker and the definition that is in use. None: no test
    sends. Pages show their last two digits."""

    simulate: bool = True
    """Whether Studio runs simulations: each takes a core for up to half a minute."""

    tail: bool = True
    """Whether results can be watched as they come: false where reading the results topic costs too much."""

    @property
    def definitions_folder(self) -> Path | None:
        """Where definitions are saved; None where they are not."""
        return None if self.definitions == "read-only" else Path(self.definitions)

    @property
    def local(self) -> bool:
        """Only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False
