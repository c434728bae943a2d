"""Every definition at hand, shown as a curl command and imported again, sends another message as it did before."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from connector.config_text.environment import Environment
from connector.definition.load import load
from connector.definition.tree import NoAuth, Operation
from connector.definition.walk import uses
from connector.model import Batch, Message, Request
from connector.request.renderer import Renderer, compile_operation
from connector.request.show import curl
from connector.tools.importing.curl import read_command
from connector.tools.importing.draft import from_call
from connector.tools.importing.recognise import recognise
from tests.definition.test_structure import BATCH, operations

from .sent import Sent, comparable


def message(operation: Operation, number: int) -> Message:
    """With what the operation sends, and nothing else: a value that never leaves cannot be found in a command."""
    names = {name for use in uses(operation) for name in use.expression.names}
    calls = {call for use in uses(operation) for call in use.expression.calls}
    fields: dict[str, Any] = {
        "Body": ("body", f"Hello you there, for the {number}. time"),
        "TemplateID": ("template_id", f"110716{number}"),
        "TemplateVariables": ("template_variables", {"VAR1": f"x{number}"}),
        "CampaignID": ("campaign_id", "c1"),
    }
    given = dict(fields[name] for name in names if name in fields)
    same = "m1" if "message_id" in calls else f"m{number}"  # a reference of ours stays what it was
    custom = dict.fromkeys(names - {*fields, "To"}, "ACME")
    return Message(same, f"+91981234567{number}", custom=custom, **given)


def request(renderer: Renderer, given: Message) -> Request:
    rendered = renderer.render([given], Batch(BATCH, 1_700_000_000.0))
    assert rendered.request is not None, rendered.invalid
    made = rendered.request
    whole = re.sub(
        r"^\$(?:\{|%7B)\w+(?:\}|%7D)", "https://gateway.example.com", made.url
    )  # a gateway of one's own: from the environment
    return msgspec.structs.replace(made, url=whole)


def sent(renderer: Renderer, given: Message) -> Sent:
    made = request(renderer, given)
    return comparable(made.method, made.url, {name.lower(): value for name, value in made.headers}, made.body or b"")


# What no import can know: that a text stands in hexadecimal, that a password is the same for everybody, or that some 32
# digits are an id of ours and no secret.
NOT_KNOWN = {"providers/jasmin.send", "providers/speedsms.send", "providers/skebby.send"}


@pytest.mark.parametrize("name", sorted({*operations()} - NOT_KNOWN))
def test_what_is_imported_sends_another_message_as_before(name: str, tmp_path: Path) -> None:
    operation, renderer = operations()[name]
    file = tmp_path / "again.yaml"
    call = read_command(curl(request(renderer, message(operation, 1))))
    file.write_text(from_call(recognise(call, "again"), "again").yaml(), encoding="utf-8")
    (again,) = load(file, environment=Environment.placeholders()).operations
    assert sent(compile_operation(again), message(operation, 2)) == sent(renderer, message(operation, 2))
    if isinstance(operation.auth, NoAuth):
        assert again.auth == operation.auth
