"""The secrets a definition holds itself, for those who typed them into the file in place of `${NAME}`."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qsl, urlsplit

from connector.definition.check_request import secret_name
from connector.definition.tree import (
    Additions,
    Array,
    BasicAuth,
    Constant,
    Encoded,
    Login,
    LoginRequest,
    Node,
    OAuth2,
    Object,
    ObjectMember,
    Operation,
    Sign,
)


def typed_credentials(operation: Operation) -> dict[str, str]:
    """Where it stands → the value: of `auth`, and of every field whose name is that of a secret."""
    found: dict[str, str] = {}
    match operation.auth:
        case BasicAuth():
            found["(auth: password)"] = operation.auth.password
        case OAuth2():
            found["(auth: client_id)"] = operation.auth.client_id
            found["(auth: secret)"] = operation.auth.secret
            if operation.auth.password is not None:
                found["(auth: password)"] = operation.auth.password
        case Sign(additions):
            found |= _typed_values(additions)
        case Login():
            found |= _typed_values(operation.auth.use)
            for request in operation.auth.requests:
                found |= _typed_values(request)
                found |= {f"(auth: {name})": text for name, text in _login_constants(request) if secret_name(name)}
    nodes: list[Node] = [operation.headers, operation.query, *([] if operation.body is None else [operation.body])]
    for name, value in [*_in_url(operation), *(each for node in nodes for each in _constants(node))]:
        if secret_name(name):
            found[f"({name})"] = value
    return found


def _typed_values(added: Additions | LoginRequest) -> dict[str, str]:
    """Named values that hold a secret."""
    values = ((name, node) for name, node in added.values.items() if name in added.secret)
    return {f"(auth: {name})": str(node.value) for name, node in values if isinstance(node, Constant) and node.value}


def _login_constants(request: LoginRequest) -> Iterator[tuple[str, str]]:
    for node in (request.query, request.headers, request.body):
        if node is not None:
            yield from _constants(node)


def _in_url(operation: Operation) -> Iterator[tuple[str, str]]:
    if isinstance(operation.url, Constant):
        yield from parse_qsl(urlsplit(str(operation.url.value)).query)


def _constants(node: Node, name: str = "") -> Iterator[tuple[str, str]]:
    """Names and constant texts, at every depth; what stands in a list bears the list's name."""
    match node:
        case Constant() if isinstance(node.value, str):
            yield name, node.value
        case Object():
            for member in node.members:
                if isinstance(member, ObjectMember):
                    key = member.key if isinstance(member.key, str) else ""
                    yield from _constants(member.value, key)
        case Array():
            for item in node.items:
                yield from _constants(item, name)
        case Encoded():
            yield from _constants(node.node, name)
