"""Each endpoint of the console × who asks × from which page × under which name: nothing gets past the guard."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest

from connector.settings.web import Web
from connector.web.callers import Role
from connector.web.endpoints import ApiCall, Endpoint
from connector.web.openapi_document import every_endpoint
from tests.web.serving import BROWSER, TOKENS, served, with_tokens

JSON = {"Content-Type": "application/json"}


ENDPOINTS = [it for it in every_endpoint() if it.path != "/api/session"]
NAMES = [it.operation for it in ENDPOINTS]


class Reached:
    """The endpoints, with nothing behind the guard but a word."""

    def __init__(self) -> None:
        self.reached: list[str] = []

    def endpoints(self) -> list[Endpoint]:
        async def handler(call: ApiCall) -> dict[str, str]:
            self.reached.append(call.who.name)
            return {}

        return [dataclasses.replace(it, handler=handler, takes=None) for it in ENDPOINTS if it.path != "/api/me"]


def path_of(endpoint: Endpoint) -> str:
    return re.sub(r"\{[^}]+\}", "acme", endpoint.path)


LOOKED_AT = [it for it in ENDPOINTS if it.path != "/api/me"]


@pytest.mark.parametrize("endpoint", LOOKED_AT, ids=[it.operation for it in LOOKED_AT])
async def test_nothing_gets_past_the_guard(endpoint: Endpoint) -> None:
    reached, path, method = Reached(), path_of(endpoint), endpoint.method
    async with served(with_tokens(), [reached]) as ask:

        async def status(headers: dict[str, str]) -> int:
            before = len(reached.reached)
            answer = await ask(method, path, headers)
            assert (len(reached.reached) > before) is (answer.status == 200)
            return answer.status

        assert await status({}) in {401, 403}
        assert await status(BROWSER) == 401
        assert await status({"Authorization": "Bearer wrong"}) == 401
        for name, token in TOKENS.items():
            role = next(role for role in Role if role.label == name)
            assert endpoint.role is not None, "who is not signed in gets nothing"
            bearer = {"Authorization": f"Bearer {token}"}
            assert await status(bearer) == (200 if role >= endpoint.role else 403)
            assert await status(bearer | {"Host": "evil.example"}) == 421
    # With a session instead of a token in the request, or without a login, other pages may not ask.
    async with served(Web(port=0), [reached]) as ask:
        for headers, allowed in (
            (BROWSER, True),
            ({"X-Console": "1", "Origin": "https://evil.example"}, not endpoint.changes),
            ({"X-Console": "1", "Sec-Fetch-Site": "cross-site"}, False),
            ({"Sec-Fetch-Site": "same-origin"}, not endpoint.changes),
        ):
            answer = await ask(method, path, headers)
            assert answer.status == (200 if allowed else 403), headers


def test_only_those_change_something_that_say_so() -> None:
    for endpoint in ENDPOINTS:
        assert endpoint.path.startswith("/api/")
        assert endpoint.role is not None
        if endpoint.tag == "steer":
            assert endpoint.changes
            assert endpoint.role >= Role.OPERATOR


def test_no_number_can_stand_in_a_path_or_query() -> None:
    words: set[str] = set()
    for endpoint in ENDPOINTS:
        words |= set(re.findall(r"\{(\w+)", endpoint.path))
        words |= {it.name for it in endpoint.parameters}
    assert not words & {"to", "number", "phone", "msisdn", "recipient", "q"}


def test_operations_have_names_of_their_own() -> None:
    assert len(set(NAMES)) == len(NAMES)
    named: dict[str, Any] = {f"{it.method} {it.path}": it for it in ENDPOINTS}
    assert len(named) == len(ENDPOINTS)
