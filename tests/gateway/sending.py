"""Events for a gateway: the shipped definition, as somebody extends it whose kannel.conf allows three SMS a text."""

from __future__ import annotations

from typing import Any

from tests import marked
from tests.gateway.kannel import Kannel
from tests.integration.pipeline import Pipeline
from tests.processes import ConnectorProcess

SENDER = "ACMEIN"
PATIENCE = 90.0
"""Seconds that a worker may take, with its start, on a machine that has others to serve."""

DEFINITION = """\
extends: kannel
headers: {{X-Kannel-Username: {user}}}
parameters: {{text: "$${{Body|max_segments(3)}}"}}
{more}
"""


def define(pipeline: Pipeline, name: str, user: str, more: str = "") -> None:
    """A definition `name` that sends as that user of the gateway."""
    text = DEFINITION.format(user=user, more=more)
    (pipeline.folder / "definitions" / f"{name}.yaml").write_text(text)


def event(number: int, provider: str, body: str = "Your code is on its way") -> dict[str, Any]:
    """Event `number`, to a phone number of its own."""
    return {
        "message_id": f"{provider}-{number}",
        "provider": provider,
        "campaign_id": "c",
        "to": phone(number),
        "body": body,
        "custom": {"sender": SENDER},
    }


def phone(number: int) -> str:
    return f"+9198{number:07d}9"


def worker(pipeline: Pipeline, gateway: Kannel, name: str = "w0", password: str = marked.PASSWORD) -> ConnectorProcess:
    """A worker that knows the gateway; its user is the definition's."""
    return pipeline.worker(name, KANNEL_URL=gateway.url, KANNEL_USER="unused", KANNEL_PASSWORD=password)
