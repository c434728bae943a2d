"""Which messages an operation takes, against the library's own evaluation."""

from __future__ import annotations

from datetime import UTC, datetime

import jmespath
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jmespath.exceptions import JMESPathError

from connector.model import Priority
from connector.request.when import compile_when
from tests.request.trees import message, renderer
from tests.thorough import examples

EXPRESSIONS = [
    "body",
    "!body",
    "custom.route == 'bulk'",
    "custom.route != 'bulk'",
    "custom.route == `1`",
    "custom.route == `null`",
    "custom.a.b == 'x' || template_id",
    "custom.a.b == 'x' && !template_id",
    "priority == 'high'",
    "contains(['bulk', 'x'], custom.route)",
    "starts_with(to, '+91') && body",
    "length(body) > `3`",
    "template_variables[0] == 'x'",
    "template_variables[?a == 'x']",
    "@.custom.route",
    "expires_at == '2026-01-01T00:00:00Z'",
    "send_at > '2026' || send_at == '2026-01-01T00:00:00Z'",
    "{a: body}",
    "keys(@)[0] == 'message_id'",
    "to_number(custom.route) == `1`",
]

values = st.sampled_from([None, "", "bulk", "x", "1", 1, 0, True, False, [], ["x"], {}, {"b": "x"}])
messages = st.builds(
    lambda route, a, body, template, variables, priority, expires: message(
        body=body,
        template_id=template,
        custom=None if route is None and a is None else {"route": route, "a": a},
        template_variables=variables,
        priority=priority,
        expires_at=expires,
        send_at=expires,
    ),
    values,
    values,
    st.sampled_from([None, "", "hi", "hello"]),
    st.sampled_from([None, "t"]),
    st.sampled_from([None, [], ["x"], {"a": "x"}, [{"a": "x"}]]),
    st.sampled_from(Priority),
    st.sampled_from([None, datetime(2026, 1, 1, tzinfo=UTC)]),
)


@pytest.mark.parametrize("source", EXPRESSIONS)
@settings(max_examples=examples(40))
@given(messages)
def test_it_says_what_the_library_says_of_the_event(source, given):
    try:
        found = jmespath.search(source, msgspec.to_builtins(given))
    except JMESPathError:
        found = None
    expected = found is not None and found is not False and found not in ("", [], {})

    assert compile_when(source)(given) == expected


def test_without_a_condition_every_message_fits():
    assert renderer({"to": "$$To"}).fits(message())
    assert not renderer({"to": "$$To"}, when="custom.route == 'bulk'").fits(message())
