"""Whatever users write, every definition at hand sends the structure it describes, and their texts in their places.

The drafts, the catalogue and the APIs from elsewhere: each request is read back by parsers that know nothing of ours,
and compared with the request of harmless texts.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit
from xml.etree import ElementTree as ET

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from connector.config_text.environment import Environment
from connector.definition.load import CATALOGUE, load
from connector.definition.tree import Operation
from connector.definition.walk import uses
from connector.model import Batch, Message, Request
from connector.request.renderer import Renderer, compile_operation
from tests.thorough import examples

from .write import FIXTURES

FILES = [*FIXTURES.glob("*.yaml"), *(FIXTURES / "elsewhere").glob("*.yaml"), *CATALOGUE.glob("*.yaml")]
PHONES = ("+919800000001", "+919800000002", "+919800000003")
HARMLESS = "नमस्ते"  # needs UCS-2, as do the hostile ones below: the encoding is part of the structure
BATCH = "0123456789abcdef0123456789abcdef"

# What XML can hold as well; no lone carriage returns, which parsers of XML read as line feeds.
TEXTS = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff", include_characters="\t\n"),
    max_size=40,
).map(lambda text: f"न{text}न")
HOSTILE = (
    '"},{"to":"+1","evil":[{"a":"',
    "</SMS><SMS TO='1'/><!--]]>&amp;&#0;",
    "a&b=c+d%20e;f #g?h[0][To]=1",
    "$$To $${batch_id()} ${SECRET} {F0} {{x}} ##y## ${name} #MESSAGEID# %d",
    "👩‍👩‍👧\u202eשלום'`\\\"",
    "1,2;3<4|5 6\n7",
)


@cache
def operations() -> dict[str, tuple[Operation, Renderer]]:
    found = {}
    for file in FILES:
        definition = load(file, environment=Environment.placeholders())
        for operation in definition.operations:
            found[f"{file.parent.name}/{file.stem}.{operation.name}"] = operation, compile_operation(operation)
    return found


def messages(operation: Operation, text: str) -> list[Message]:
    """Three messages; `text` is their body and the value of every variable and custom name that stands in the body."""
    outside = {name for use in uses(operation) if use.inside is None for name in use.expression.names}
    names = {name for use in uses(operation) for name in use.expression.names}
    custom = {name: "plain" if name in outside else text for name in names}
    whole = any(call.filter.name in {"int", "bool01"} for use in uses(operation) for call in use.expression.filters)
    given = [
        Message(f"m{number}", to, body=text, template_id="1107", template_variables={"v": text}, campaign_id="c")
        for number, to in enumerate(PHONES)
    ]
    for message in given:
        message.custom = {name: "1" if whole and name not in {"sender", "entity"} else custom[name] for name in custom}
    return given


def sent(name: str, text: str) -> Request:
    operation, renderer = operations()[name]
    given = messages(operation, text)[: renderer.max_records]
    rendered = renderer.render(given, Batch(BATCH, 1_700_000_000.0))
    assert not rendered.invalid, (name, rendered.invalid)
    assert rendered.request is not None
    assert len(rendered.sent) == len(given)
    return rendered.request


def read_back(request: Request) -> Any:
    """Everything in a request, by parsers of others."""
    parts = urlsplit(request.url)
    body: Any = (request.body or b"").decode()
    kind = dict(request.headers).get("Content-Type", "")
    if "json" in kind:
        body = json.loads(body)
    elif "xml" in kind:
        body = elements(ET.fromstring(body))
    elif "urlencoded" in kind:
        pairs = parse_qsl(body, keep_blank_values=True, strict_parsing=True)
        body = [(name, nested(bytes.fromhex(it).decode("utf-16-be") if "hex" in name else it)) for name, it in pairs]
    query = parse_qsl(parts.query, keep_blank_values=True)
    return [request.method, parts.netloc, parts.path, parts.fragment, query, request.headers, body]


def nested(value: str) -> Any:
    if value.startswith(("<?xml", "<MESSAGE")):
        return elements(ET.fromstring(value))
    return json.loads(value) if value.startswith('{"') else value


def elements(element: ET.Element) -> Any:
    return [element.tag, dict(element.attrib), element.text, [elements(child) for child in element], element.tail]


def replaced(value: Any, text: str) -> Any:
    """`value` with the user's text in it, wherever it stands, as the harmless one."""
    if isinstance(value, str):
        # As it is, percent-encoded once more, and with a provider's own marks defused.
        forms = (
            (text, HARMLESS),
            (quote(text, safe=""), quote(HARMLESS, safe="")),
            (text.replace("{F", "{ F"), HARMLESS),
        )
        for old, new in forms:
            value = value.replace(old, new)
        return value
    if isinstance(value, dict):
        return {replaced(key, text): replaced(item, text) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [replaced(item, text) for item in value]
    return value


@pytest.mark.parametrize("name", sorted(operations()))
@settings(max_examples=examples(25), deadline=None)
@given(text=TEXTS)
@example(f"न{HOSTILE[0]}")
@example(f"न{HOSTILE[1]}")
@example(f"न{HOSTILE[2]}")
@example(f"न{HOSTILE[3]}")
@example(f"न{HOSTILE[4]}")
@example(f"न{HOSTILE[5]}")
def test_a_users_text_changes_nothing_but_itself(name: str, text: str) -> None:
    assert replaced(read_back(sent(name, text)), text) == replaced(read_back(sent(name, HARMLESS)), HARMLESS)


def test_all_of_them_are_there() -> None:
    assert len(FILES) == len({Path(file) for file in FILES}) >= 10 + 11 + 14
