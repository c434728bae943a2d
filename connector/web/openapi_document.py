"""The OpenAPI document of the console: made from its endpoints and their types, never written by hand."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from inspect import cleandoc
from typing import Any

import msgspec

from connector import __version__
from connector.settings import Settings
from connector.settings.web import Web, WebToken
from connector.web.console_process import Console
from connector.web.endpoints import Endpoint
from connector.web.guard import MARK
from connector.web.problems import PROBLEM_TYPE, ProblemDocument
from connector.web.results_tail import TailCount, TailRow
from connector.web.sign_in import COOKIE

BESIDE: tuple[Any, ...] = (TailRow, TailCount)
"""Types of streams: data of their events."""

ABOUT = f"""What `sms-connector console` serves below its own address. JSON only; errors are RFC 9457. No phone number
and no text ever stands in a URL; numbers are masked. What changes something needs `{MARK}: 1` from a page of the same
origin, or a bearer token, and is written to the audit topic before it is done. Answers are made of memory: they wait
for nobody, and say what did not answer.
"""


def openapi() -> dict[str, Any]:
    """The document, of every endpoint there can be."""
    return document(every_endpoint())


def every_endpoint() -> list[Endpoint]:
    """Those of a console in which everything is switched on."""
    web = Web(
        auth="tokens",
        tokens=(WebToken(name="somebody", sha256="0" * 64),),
        test_numbers=("+15550000000",),
        tail=True,
        simulate=True,
    )
    with socket.socket() as place:
        return Console(Settings(web=web), place).server.endpoints


def document(endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """The document of these."""
    types = [each for one in endpoints for each in (one.takes, one.gives) if each is not None]
    types += [ProblemDocument, *BESIDE]
    schemas, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    for each in components.values():
        if "description" in each:
            each["description"] = cleandoc(each["description"])  # a docstring, which Python 3.13 began to unindent
    named = dict(zip(map(repr, types), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for one in endpoints:
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one, named)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "SMS connector console",
            "version": __version__,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            "description": ABOUT,
        },
        "servers": [{"url": "./"}],
        "security": [{"session": []}, {"bearer": []}],
        "tags": [{"name": tag} for tag in sorted({one.tag for one in endpoints})],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "session": {"type": "apiKey", "in": "cookie", "name": COOKIE},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
            "schemas": components,
        },
    }


def _operation(one: Endpoint, named: dict[str, Any]) -> dict[str, Any]:
    role = "everybody, signed in or not" if one.role is None else f"the role {one.role.label}, or more"
    told: dict[str, Any] = {
        "operationId": one.operation,
        "tags": [one.tag],
        "summary": one.about,
        "description": f"For {role}.",
        "responses": _responses(one, named),
    }
    if one.role is None:
        told["security"] = []
    parameters = [*_in_path(one.path), *_others(one)]
    if parameters:
        told["parameters"] = parameters
    if one.takes is not None:
        told["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": named[repr(one.takes)]}},
            "description": f"At most {one.most} bytes.",
        }
    return told


def _responses(one: Endpoint, named: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if one.empty:
        found["204"] = {"description": "Done; nothing is left of it"}
    if one.gives is not None:
        found["200"] = {"description": "OK", "content": {"application/json": {"schema": named[repr(one.gives)]}}}
    elif one.media:
        found["200"] = {"description": "OK", "content": {one.media: {"schema": {"type": "string"}}}}
    else:
        found["204"] = {"description": "Done"}
    problem = {"content": {PROBLEM_TYPE: {"schema": named[repr(ProblemDocument)]}}}
    for status in sorted({*one.statuses, *_always(one)}):
        found[str(status)] = {"description": HTTPStatus(status).phrase, **problem}
    return found


def _always(one: Endpoint) -> Iterable[int]:
    """What any such endpoint may answer."""
    yield 421
    yield 403
    if one.role is not None:
        yield 401
    if one.takes is not None:
        yield from (400, 408, 413, 415, 422, 503)


def _in_path(path: str) -> list[dict[str, Any]]:
    names = re.findall(r"\{(\w+)", path)
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]


def _others(one: Endpoint) -> list[dict[str, Any]]:
    found = []
    for it in one.parameters:
        told: dict[str, Any] = {"name": it.name, "in": it.place, "description": it.about, "schema": dict(it.kind)}
        if it.required:
            told["required"] = True
        if it.kind.get("type") == "array":
            told |= {"style": "form", "explode": False}
        found.append(told)
    return found
