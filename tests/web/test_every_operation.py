"""Every operation of the OpenAPI document is asked here, and answers what the document says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.tooling.pages import ROOT
from tests.web.operations import HOW, Asked, events_of, whole_console
from tests.web.serving import BROWSER, TOKENS, Asker

DOCUMENT = json.loads((ROOT / "schemas" / "console.openapi.json").read_bytes())
OPERATIONS = {
    operation["operationId"]: (method.upper(), path, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}


def test_there_is_no_operation_without_a_test_and_no_test_without_an_operation() -> None:
    assert sorted(HOW) == sorted(OPERATIONS), "write in tests/web/operations.py how it is asked"


def validator(operation: dict[str, Any], status: int) -> Draft202012Validator | None:
    content = operation["responses"][str(status)].get("content", {})
    schema = content.get("application/json", {}).get("schema")
    return None if schema is None else Draft202012Validator({**schema, "components": DOCUMENT["components"]})


async def asked(ask: Asker, method: str, it: Asked) -> tuple[int, str]:
    headers = {
        **BROWSER,
        "Authorization": f"Bearer {TOKENS[it.role]}",
        "Content-Type": "application/json",
        **it.headers,
    }
    body = None if it.body is None else json.dumps(it.body)
    if it.streams:
        return await ask.until(method, it.path, headers, body, last=it.streams[-1])
    answer = await ask(method, it.path, headers, body)
    return answer.status, answer.text


@pytest.mark.parametrize("name", sorted(OPERATIONS))
async def test_what_it_answers_is_what_the_document_says(name: str, tmp_path: Path) -> None:
    method, path, operation = OPERATIONS[name]
    it = HOW[name]
    assert matches(path, it.path), f"{it.path} is no {path}"
    async with whole_console(tmp_path) as ask:
        if name == "undoDefinition":
            await asked(ask, "PUT", HOW["saveDefinition"])
            it = await seen(ask, it)
        status, text = await asked(ask, method, it)
    assert status == it.status, text
    if it.streams:
        assert set(it.streams) <= {event for event, _ in events_of(text)}
    elif (schema := validator(operation, status)) is not None:
        schema.validate(json.loads(text))


async def seen(ask: Asker, it: Asked) -> Asked:
    """The request, with the ETag of the definition that was saved."""
    answer = await ask("GET", HOW["saveDefinition"].path, {"Authorization": f"Bearer {TOKENS['editor']}"})
    return Asked(it.path, it.body, {"If-Match": answer.headers["ETag"]}, it.role, it.status)


def matches(template: str, path: str) -> bool:
    parts, given = template.split("/"), path.partition("?")[0].split("/")
    return len(parts) == len(given) and all(a == b or a.startswith("{") for a, b in zip(parts, given, strict=True))
