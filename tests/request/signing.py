"""The definitions of docs/signing.md, and their requests signed at a known time with a known nonce."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from connector.config_text.environment import Environment
from connector.definition.load import load
from connector.definition.tree import Operation, Sign
from connector.model import Batch, Message, Request
from connector.request.renderer import compile_operation
from connector.request.signer import Clockwork, Signed, Signer

PAGE = (Path(__file__).parents[2] / "docs" / "signing.md").read_text("utf-8")
DEFINITIONS = dict(re.findall(r"^```yaml (\S+)\.yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp()
NONCE = "0123456789abcdef0123456789abcdef"
MESSAGE = Message(
    "m1",
    "+8613800138000",
    body="Grüße & 你好 = 50%",
    template_id="1107",
    template_variables={"name": "Asha"},
    custom={"sign": "测试", "sender": "ACME"},
)


def operation_of(text: str, environment: Mapping[str, str], folder: Path) -> Operation:
    """The one operation of a definition."""
    file = folder / "definition.yaml"
    file.write_text(text)
    (operation,) = load(file, environment=Environment(environment)).operations
    return operation


def rendered(operation: Operation, message: Message = MESSAGE) -> Request:
    request = compile_operation(operation).render([message], Batch("b" * 32, NOW)).request
    assert request is not None
    return request


def signed(operation: Operation, request: Request, *, now: float = NOW, nonce: str = NONCE) -> Signed:
    assert isinstance(operation.auth, Sign)
    return Signer(operation.auth.additions).sign(request, Clockwork(now, lambda: nonce))


def sent(name: str, environment: Mapping[str, str], folder: Path, message: Message = MESSAGE) -> Request:
    """What a definition of the page sends."""
    operation = operation_of(DEFINITIONS[name], environment, folder)
    return signed(operation, rendered(operation, message)).request


def header(request: Request, name: str) -> str:
    (value,) = [value for known, value in request.headers if known.lower() == name.lower()]
    return value
