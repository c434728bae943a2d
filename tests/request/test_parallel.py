"""Lists that are read side by side: whatever messages leave out, each recipient gets what he would get alone."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.definition.tree import ListNames, MapNames, Nesting
from connector.model import Message, Request
from connector.request.renderer import Renderer, compile_operation
from tests.thorough import examples

from .test_shapes import parts_of
from .trees import batch, message, operation, renderer

REPEAT = Nesting(ListNames("", None, ""), MapNames("[", "]"))
NOTHING = object()
NUMBERED = Nesting(ListNames("", 1, ""), MapNames("[", "]"))


def all_of(send: Renderer, messages: list[Message]) -> list[tuple[Request, list[Message]]]:
    """Every request that comes of the messages, window after window, and whose it is."""
    found = []
    while messages:
        rendered = send.render(messages, batch())
        assert rendered.sent or rendered.invalid
        if rendered.request is not None:
            found.append((rendered.request, [messages[index] for index in rendered.sent]))
        messages = [messages[index] for index in rendered.left]
    return found


def json_columns(request: Request) -> dict[str, list[Any]]:
    return json.loads(request.body)


def xml_columns(request: Request) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for each in ET.fromstring(request.body):
        found.setdefault(each.tag, []).append(each.text or "".join(inner.text or "" for inner in each))
    return found


def numbered_columns(request: Request) -> dict[str, list[Any]]:
    """By number: what stands at none is none."""
    found: dict[str, dict[int, str]] = {}
    for name, value in parse_qsl(request.body.decode(), keep_blank_values=True):
        number, _, rest = name[1:].partition("[")
        found.setdefault(f"{name[0]}[{rest}", {})[int(number)] = value
    last = max(number for cells in found.values() for number in cells)
    return {name: [cells.get(n, NOTHING) for n in range(1, last + 1)] for name, cells in found.items()}


def repeated_columns(request: Request) -> dict[str, list[Any]]:
    """As most readers do it: blank values are dropped."""
    found: dict[str, list[Any]] = {}
    for name, value in parse_qsl(urlsplit(request.url).query or request.body.decode()):
        found.setdefault(name, []).append(value)
    return found


def part_columns(request: Request) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for name, value in parts_of(request):
        found.setdefault(name, []).append(value)
    return found


def joined_columns(request: Request) -> dict[str, list[Any]]:
    """Elements without a character are dropped, as many readers do."""
    pairs = parse_qsl(request.body.decode(), keep_blank_values=True)
    return {name: kept for name, value in pairs if (kept := [each for each in value.split(",") if each])}


FORMATS = {
    "JSON": ({"kind": "json"}, Nesting(), json_columns),
    "XML": ({"kind": "xml"}, Nesting(), xml_columns),
    "numbers": ({"kind": "pairs"}, NUMBERED, numbered_columns),
    "repeated": ({"kind": "pairs"}, REPEAT, repeated_columns),
    "query": ({"kind": "pairs", "method": "GET"}, REPEAT, repeated_columns),
    "multipart": ({"kind": "multipart"}, REPEAT, part_columns),
    "joined": ({"kind": "pairs"}, Nesting(), joined_columns),
}
LISTS: list[Any] = [
    ["$${a?}"], ["$${b?}"], ["$$a"], ["$${a|default('')}"], ["ACME"], [{"v": "$${a?}"}],
    [{"v": "$${a?}", "w": "$${b?}"}],
    ["$${a?}", "$${b?}"], ["x", "$${a?}"],
]  # fmt: skip
TEXTS = ["$${a?}", "$${b|default('')}", "$$a", "ACME", "$${a?}$${b?}", "$$a,$${b?}"]
WHOLE = ["$$a", "$${a?}", "$${b|default('')}", "$${a|lists?}"]

value = st.sampled_from([None, "", "v", "w", 7])
anything = st.one_of(
    value, st.lists(st.sampled_from(["p", "q", None]), max_size=3), st.dictionaries(st.sampled_from("mn"), value)
)


def send_of(kind: str, body: dict[str, Any], *, whole: bool = False) -> Renderer:
    options, nesting, _ = FORMATS[kind]
    if kind == "XML":
        keys, tree = [f"r.{name}" for name in body], {"r": body}
    else:
        keys, tree = list(body), body
    made = operation(tree, key=("r" if kind == "XML" else ".") if whole else keys, **options)
    return compile_operation(replace(made, nesting=nesting))


@pytest.mark.parametrize("kind", FORMATS)
@settings(max_examples=examples(150), deadline=None)
@given(data=st.data())
def test_every_recipient_of_a_batch_gets_what_he_would_get_alone(kind: str, data: st.DataObject) -> None:
    choice = TEXTS if kind == "joined" else [*LISTS, *(WHOLE if kind == "JSON" else [])]
    columns = data.draw(st.lists(st.sampled_from(choice), min_size=1, max_size=3))
    body = dict(zip("xyz", columns, strict=False)) | {"t": "$${To|digits}" if kind == "joined" else ["$${To|digits}"]}
    whole = kind != "joined" and not any(isinstance(each, str) for each in columns) and data.draw(st.booleans())
    values = anything if kind == "JSON" else value
    customs = data.draw(st.lists(st.fixed_dictionaries({"a": values, "b": values}), min_size=1, max_size=5))
    messages = [message(n, custom=custom) for n, custom in enumerate(customs)]
    read = FORMATS[kind][2]
    send, to = send_of(kind, body, whole=whole), "t[" if kind == "numbers" else "t"

    for request, own in all_of(send, messages):
        found = read(request)
        alone = [read(send.render([each], batch()).request) for each in own]
        assert [cell for cell in found[to] if cell is not NOTHING] == [each[to][0] for each in alone]
        if len(own) == 1:
            assert found == alone[0]
            continue
        for number, each in enumerate(alone):
            cells_of = [(name, cells[number]) for name, cells in found.items() if cells and isinstance(cells, list)]
            mine = {name: [cell] for name, cell in cells_of if cell is not NOTHING}
            wanted = {name: cells for name, cells in each.items() if cells and isinstance(cells, list)}
            assert mine == wanted
        for name, cells in found.items():
            if isinstance(cells, dict):  # lists under names of the messages' own
                assert all(len(each) == len(own) for each in cells.values() if isinstance(each, list)), name


@pytest.mark.parametrize("kind", FORMATS)
def test_a_text_never_goes_to_the_number_before(kind: str) -> None:
    text: Any = "$${otp?}" if kind == "joined" else ["$${otp?}"]
    send = send_of(kind, {"t": "$${To|digits}" if kind == "joined" else ["$${To|digits}"], "x": text})
    messages = [message(1), message(2, custom={"otp": "998877"}), message(3), message(4, custom={"otp": "5"})]
    rendered = send.render(messages, batch())
    assert (rendered.sent, rendered.left) == ([0, 2], [1, 3])
    assert b"9988" not in (rendered.request.body or b"") + rendered.request.url.encode()
    assert send.render([messages[1], messages[3]], batch()).sent == [0, 1]


def test_whole_lists_of_different_lengths_are_not_one_list() -> None:
    send = renderer({"to": ["$$To"], "vars": "$$TemplateVariables"}, key=["to", "vars"])
    messages = [message(1, template_variables=["a", "b"]), message(2, template_variables=["c"]),
                message(3, template_variables=["d"]), message(4, template_variables=["e", "f"])]  # fmt: skip
    bodies = [json.loads(request.body)["vars"] for request, _ in all_of(send, messages)]
    assert bodies == [["a", "b"], ["c", "d"], ["e", "f"]]


def test_one_list_whose_records_are_several_elements_is_not_shifted() -> None:
    send = renderer({"to": ["$$To", "$${otp?}"]}, key="to")
    messages = [message(1), message(2, custom={"otp": 5}), message(3, custom={"otp": 6})]
    bodies = [json.loads(request.body)["to"] for request, _ in all_of(send, messages)]
    assert bodies == [["+919800000001"], ["+919800000002", 5, "+919800000003", 6]]


@pytest.mark.parametrize("options", [{"kind": "pairs"}, {"kind": "multipart"}, {"kind": "pairs", "method": "GET"}])
@pytest.mark.parametrize("name", ["m", "m[]"])
def test_records_without_numbers_hold_what_their_neighbours_hold(options: dict[str, Any], name: str) -> None:
    made = operation({name: [{"to": "$$To", "v": "$${otp?}"}]}, key=name, **options)
    send = compile_operation(replace(made, nesting=REPEAT if name == "m" else Nesting()))
    messages = [message(1), message(2, custom={"otp": 5}), message(3)]
    rendered = send.render(messages, batch())
    assert (rendered.sent, rendered.left) == ([0, 2], [1])


def test_lists_under_names_of_the_recipients_own_are_no_parallel_lists() -> None:
    body = {"a": {"$${To|e164}": {"v": "$${vars|lists?}"}}, "p": "$${vars|under(To)?}", "to": ["$$To"]}
    send = renderer(body, key=["a", "p", "to"])
    messages = [message(1, custom={"vars": {"m": 1}}), message(2, custom={"vars": {"n": 2, "m": 3}})]
    assert send.render(messages, batch()).sent == [0, 1]


def test_lists_that_messages_name_are_parallel_lists() -> None:
    send = renderer({"to": ["$$To"], "p": "$${vars|lists?}"}, key=["to", "p"])
    messages = [message(1, custom={"vars": {"m": 1}}), message(2, custom={"vars": {"m": 3, "n": 2}})]
    assert send.render(messages, batch()).left == [1]


@pytest.mark.parametrize(
    ("join", "value"), [(";;", "a;"), (";;", ";a"), (".", 1.5), ("-", -1), ("true", True), ("aba", "xab"), (",", "a,b")]
)
def test_no_value_makes_a_separator_with_what_stands_beside_it(join: str, value: Any) -> None:
    send = renderer({"to": "$$To", "v": "$$v"}, key=["to", "v"], join=join)
    rendered = send.render([message(1, custom={"v": value}), message(2, custom={"v": "x"})], batch())
    assert rendered.sent == [1]
    assert rendered.invalid[0][1].reason == "a value holds the text that separates the records of a batch"
