"""Schemas of a registry: asked for once; what is not there is told from a registry that cannot say."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from connector.clock import ManualClock
from connector.errors import MessageError
from connector.formats import schemas as module
from connector.formats.schemas import (
    ABSENT_SECONDS,
    KEPT,
    REFERENCES,
    SCHEMA_BYTES,
    SchemaNeededError,
    SchemaRegistry,
    Schemas,
    SchemaText,
)
from connector.json_service import ANSWER_BYTES, ServiceError
from connector.settings.sources import Registry
from tests.formats.registry import FakeRegistry


class Reader:
    kind = "AVRO"
    form = ""

    def __call__(self, schema: SchemaText) -> SchemaText:
        if schema.text == "bad":
            raise MessageError("its schema cannot be used")
        return schema


@pytest_asyncio.fixture
async def fake(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeRegistry]:
    monkeypatch.setattr(module, "PROPAGATION_SECONDS", 0.0)
    async with FakeRegistry().running() as registry:
        yield registry


class Case:
    def __init__(self, fake: FakeRegistry, **settings: Any) -> None:
        self.clock = ManualClock()
        self.registry = SchemaRegistry(Registry.model_validate({"url": fake.url, "timeout": "2s", **settings}))
        self.schemas = Schemas(self.registry, Reader(), self.clock)


async def test_a_schema_is_asked_for_once_and_kept(fake: FakeRegistry) -> None:
    fake.schemas[7] = {"schema": '"string"'}
    case = Case(fake)
    with pytest.raises(SchemaNeededError):
        case.schemas.get(7)
    await case.schemas.load(7)
    for _ in range(3):
        assert case.schemas.get(7) == SchemaText("AVRO", '"string"')
    assert fake.asked == ["/schemas/ids/7"]


async def test_an_id_that_the_registry_does_not_have_is_told_and_asked_for_again_later(fake: FakeRegistry) -> None:
    case = Case(fake)
    await case.schemas.load(9)
    with pytest.raises(MessageError, match="the registry has no schema 9"):
        case.schemas.get(9)
    case.clock.advance(ABSENT_SECONDS)
    with pytest.raises(SchemaNeededError):
        case.schemas.get(9)


async def test_a_node_that_has_not_heard_of_a_new_schema_is_asked_twice_and_random_ids_once(fake: FakeRegistry) -> None:
    case = Case(fake)
    for schema_id in (1, 2, 3):
        await case.schemas.load(schema_id)
    assert fake.asked == ["/schemas/ids/1", "/schemas/ids/1", "/schemas/ids/2", "/schemas/ids/3"]


@pytest.mark.parametrize(
    "answer",
    [
        web.Response(status=401, text='{"error_code": 40101, "message": "no"}', content_type="application/json"),
        web.Response(status=403, text="<html>sign in</html>", content_type="text/html"),
        web.Response(status=404, text="<html>no such page</html>", content_type="text/html"),
        web.Response(status=404, text='{"error": "not found"}', content_type="application/json"),
        web.Response(status=500, text='{"error_code": 50001, "message": "store"}', content_type="application/json"),
        web.Response(status=200, text="<html>welcome</html>", content_type="text/html"),
        web.Response(status=200, text="[" * 10_000, content_type="application/json"),
        web.Response(status=200, text='{"id": 1}', content_type="application/json"),
        web.Response(status=200, body=gzip.compress(b'{"schema": "x"}'), headers={"Content-Encoding": "gzip"}),
        web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"}),
        web.Response(status=200, body=b"x" * (ANSWER_BYTES + 1)),
    ],
)
async def test_a_registry_that_cannot_say_is_no_word_about_the_schema(fake: FakeRegistry, answer: web.Response) -> None:
    case = Case(fake)
    fake.answer = answer
    with pytest.raises(ServiceError):
        await case.schemas.load(7)
    fake.answer, fake.schemas[7] = None, {"schema": "x"}
    await case.schemas.load(7)
    assert case.schemas.get(7).text == "x"


async def test_a_registry_that_is_away_is_told_with_its_address(fake: FakeRegistry) -> None:
    case = Case(fake, url="http://127.0.0.1:1")
    with pytest.raises(ServiceError, match=r"http://127\.0\.0\.1:1 does not answer"):
        await case.schemas.load(7)


async def test_references_come_before_what_refers_to_them(fake: FakeRegistry) -> None:
    def refers(text: str, *names: str) -> dict[str, Any]:
        return {"schema": text, "references": [{"name": n, "subject": f"s/{n}", "version": 1} for n in names]}

    fake.schemas[1] = refers("event", "b", "c")
    fake.subjects["s/b", 1] = refers("B", "a")
    fake.subjects["s/a", 1] = refers("A")
    fake.subjects["s/c", 1] = refers("C", "a")
    case = Case(fake)
    await case.schemas.load(1)
    assert case.schemas.get(1).references == (("a", "A"), ("b", "B"), ("c", "C"))


@pytest.mark.parametrize(
    ("subjects", "why"),
    [
        ({}, "refers to one that the registry does not have"),
        ({"a": ["a"]}, "refers to itself"),
        ({"a": ["b"], "b": ["a"]}, "refers to itself"),
        ({f"{n}" if n else "a": [f"{n + 1}"] for n in range(REFERENCES + 5)}, "refers to more than"),
    ],
)
async def test_references_without_end_or_ground_are_told(
    fake: FakeRegistry, subjects: dict[str, list[str]], why: str
) -> None:
    def refers(names: list[str]) -> dict[str, Any]:
        return {"schema": "x", "references": [{"name": n, "subject": n, "version": 1} for n in names]}

    fake.schemas[1] = refers(["a"])
    fake.subjects = {(name, 1): refers(names) for name, names in subjects.items()}
    case = Case(fake)
    await case.schemas.load(1)
    with pytest.raises(MessageError, match=why):
        case.schemas.get(1)


async def test_schemas_of_another_kind_too_large_or_useless_are_told(fake: FakeRegistry) -> None:
    fake.schemas = {
        1: {"schema": "message Sms {}", "schemaType": "PROTOBUF"},
        2: {"schema": "x" * (SCHEMA_BYTES + 1)},
        3: {"schema": "bad"},
    }
    case = Case(fake)
    for schema_id, why in ((1, "is PROTOBUF, and this source takes AVRO"), (2, "characters"), (3, "cannot be used")):
        await case.schemas.load(schema_id)
        with pytest.raises(MessageError, match=why):
            case.schemas.get(schema_id)


async def test_random_ids_do_not_fill_the_memory(fake: FakeRegistry) -> None:
    case = Case(fake)
    for schema_id in range(KEPT + 50):
        await case.schemas.load(schema_id)
    assert len(case.schemas._useless) == KEPT


@pytest.mark.parametrize(
    ("settings", "header"),
    [
        ({"username": "key", "password": "hunter2"}, "Basic a2V5Omh1bnRlcjI="),
        ({"token": "hunter2"}, "Bearer hunter2"),
        ({}, None),
    ],
)
async def test_credentials_go_with_each_question_and_nowhere_else(
    fake: FakeRegistry, settings: dict[str, str], header: str | None
) -> None:
    fake.answer = web.Response(status=401, text='{"error_code":401,"message":"who?"}', content_type="application/json")
    case = Case(fake, **settings)
    with pytest.raises(ServiceError) as caught:
        await case.schemas.load(1)
    assert fake.headers[0].get("Authorization") == header
    assert "hunter2" not in repr(case.registry.__dict__) + str(caught.value)
