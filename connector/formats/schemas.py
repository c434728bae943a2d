"""Schemas of a registry, kept: each is asked for once, with what it refers to. An id never changes its schema."""

from __future__ import annotations

import asyncio
import base64
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from connector.clock import Clock
from connector.errors import MessageError
from connector.json_service import Service, ServiceError, trust
from connector.settings.sources import Registry
from connector.untrusted import too_deep

SCHEMA_BYTES = 1024 * 1024
REFERENCES = 100
"""Schemas that one may refer to, those that these refer to included."""
KEPT = 1_000
"""Schemas of one kind that are kept, those that the registry does not have included: whoever writes random ids into
events must not fill the memory."""
ABSENT_SECONDS = 60.0
"""So long it is taken for certain that a schema is not there."""
PROPAGATION_SECONDS = 1.0
"""Before an id is taken for unknown the registry is asked once more; for one id in ABSENT_SECONDS, since random ids
must not hold a partition up."""

NOT_THERE = frozenset({"40401", "40402", "40403"})
"""Of the registry's API: no such subject, version, schema. A plain 404 may come from a proxy that has lost its way."""

S = TypeVar("S")
S_co = TypeVar("S_co", covariant=True)


class SchemaNeededError(Exception):
    """An event cannot be read before this schema is known: `load` it, and read again.

    Attributes:
        schema_id: which one.
        schemas: who loads it.
    """

    def __init__(self, schema_id: int, schemas: Schemas[Any]) -> None:
        self.schema_id = schema_id
        self.schemas = schemas
        super().__init__(schema_id)


@dataclass(frozen=True, slots=True)
class SchemaText:
    """A schema as the registry has it.

    Attributes:
        kind: AVRO, PROTOBUF or JSON.
        references: name → schema, those that others refer to first.
    """

    kind: str
    text: str
    references: tuple[tuple[str, str], ...] = ()


class SchemaReader(Protocol[S_co]):
    """Makes of a schema's text what decodes events.

    Attributes:
        kind: of the registry's kinds, the one it reads.
        form: how the registry is to write it, where there are several.
    """

    kind: str
    form: str

    def __call__(self, schema: SchemaText) -> S_co:
        """Raises MessageError where nothing can be read by it, in words that go into results."""


class SchemaRegistry:
    """Asks a registry, by Confluent's API."""

    def __init__(self, settings: Registry) -> None:
        headers = {"Accept": "application/vnd.schemaregistry.v1+json, application/json"}
        if settings.token is not None:
            headers["Authorization"] = f"Bearer {settings.token.get_secret_value()}"
        elif settings.password is not None:
            pair = f"{settings.username}:{settings.password.get_secret_value()}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        tls = trust(settings.ssl_ca_location, "registry.ssl_ca_location")
        self._service = Service(settings.url or "", settings.timeout, headers, tls)

    async def schema(self, schema_id: int, form: str) -> SchemaText | None:
        """The schema of this id; None where the registry says that there is none.

        Raises:
            ServiceError: the registry cannot be asked now.
            MessageError: what it refers to is not there, or it is too large.
        """
        found = await self._get(f"/schemas/ids/{schema_id}", form)
        if found is None:
            return None
        references: dict[str, str] = {}
        await self._refer(found, references, form, above=())
        return SchemaText(str(found.get("schemaType") or "AVRO"), _text(found), tuple(references.items()))

    async def _refer(self, schema: dict[str, Any], found: dict[str, str], form: str, *, above: tuple[str, ...]) -> None:
        """Everything it refers to, into `found`: what stands deepest first."""
        listed = schema.get("references") or []
        for reference in listed if isinstance(listed, list) else []:
            name, subject, version = (reference.get(key) for key in ("name", "subject", "version"))
            if not (isinstance(name, str) and isinstance(subject, str) and isinstance(version, int)):
                raise ServiceError("the registry lists a reference without name, subject or version")
            if name in found:
                continue
            if name in above:
                raise MessageError("its schema refers to itself")
            if len(found) + len(above) >= REFERENCES:
                raise MessageError(f"its schema refers to more than {REFERENCES} others")
            answer = await self._get(f"/subjects/{_quoted(subject)}/versions/{version}", form)
            if answer is None:
                raise MessageError("its schema refers to one that the registry does not have")
            await self._refer(answer, found, form, above=(*above, name))
            found[name] = _text(answer)

    async def _get(self, path: str, form: str) -> dict[str, Any] | None:
        try:
            answer = await self._service.ask(path, query={"format": form} if form else {})
        except ServiceError as error:
            if error.status == 404 and error.code in NOT_THERE:
                return None
            raise
        if not isinstance(answer, dict) or not isinstance(answer.get("schema"), str):
            raise ServiceError(f"{self._service.url} answers without a schema: is it the registry's URL?")
        return answer


class Schemas(Generic[S]):
    """Those of one kind, read once each.

    Args:
        read: makes of each what decodes events.
    """

    def __init__(self, registry: SchemaRegistry, read: SchemaReader[S], clock: Clock) -> None:
        self._registry = registry
        self._read = read
        self._clock = clock
        self._kept: OrderedDict[int, S] = OrderedDict()
        self._useless: OrderedDict[int, tuple[str, float]] = OrderedDict()
        self._patient_from = 0.0

    def get(self, schema_id: int) -> S:
        """What reads events of this schema. No I/O.

        Raises:
            MessageError: nothing can be read by it.
            SchemaNeededError: it is not known yet.
        """
        found = self._kept.get(schema_id)
        if found is not None:
            return found
        useless = self._useless.get(schema_id)
        if useless is not None and self._clock.monotonic() < useless[1]:
            raise MessageError(useless[0])
        raise SchemaNeededError(schema_id, self)

    async def load(self, schema_id: int) -> None:
        """Ask for it. Raises ServiceError: the registry cannot be asked now."""
        try:
            schema = await self._registry.schema(schema_id, self._read.form)
            if schema is None and self._clock.monotonic() >= self._patient_from:
                # A registry of several nodes may not have heard of it everywhere.
                self._patient_from = self._clock.monotonic() + ABSENT_SECONDS
                await asyncio.sleep(PROPAGATION_SECONDS)
                schema = await self._registry.schema(schema_id, self._read.form)
            if schema is None:
                raise MessageError(f"the registry has no schema {schema_id}")
            self._kept[schema_id] = self._made(schema)
        except MessageError as error:
            self._useless[schema_id] = error.reason, self._clock.monotonic() + ABSENT_SECONDS
            self._useless.move_to_end(schema_id)
        for each in (self._kept, self._useless):
            while len(each) > KEPT:
                each.popitem(last=False)

    def _made(self, schema: SchemaText) -> S:
        if schema.kind != self._read.kind:
            raise MessageError(f"its schema is {schema.kind}, and this source takes {self._read.kind}")
        return self._read(schema)


def bounded(text: str) -> bytes:
    """A schema's JSON, looked at before anything recursive reads it. Raises MessageError."""
    raw = text.encode("utf-8", "surrogatepass")
    if too_deep(raw):
        raise MessageError("its schema is nested too deeply")
    return raw


def _text(document: dict[str, Any]) -> str:
    text: str = document["schema"]
    if len(text) > SCHEMA_BYTES:
        raise MessageError(f"its schema has {len(text):,} characters; {SCHEMA_BYTES:,} are allowed")
    return text


def _quoted(subject: str) -> str:
    from urllib.parse import quote

    return quote(subject, safe="")
