"""Replacements: what they read, how they are written, and what is refused when a definition is loaded."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.definition.expression import MISSING, Expression, ExpressionError
from connector.definition.expression_text import parse, split
from connector.errors import MessageError
from connector.model import Batch, Message

MESSAGE = Message(
    message_id="0f8fad5b-d9cb-469f-a165-70867728950e",
    to="+919812345678",
    body="Your code is $$To 1234",
    template_id="1107",
    template_variables={"name": "Asha", "amount": 12.5},
    campaign_id="diwali",
    custom={
        "hid": 7,
        "uid": "u-1",
        "empty": "",
        "nothing": None,
        "no": False,
        "zero": 0,
        "To2": "x",
        "message_id": "mine",
    },
)
BATCH = Batch("0123456789abcdef0123456789abcdef", 1_700_000_000.5, count=3, seq=2)


def value_of(source: str, message: Message = MESSAGE) -> Any:
    return parse(source).compile()(message, BATCH)


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("To", "+919812345678"),
        ("Body", "Your code is $$To 1234"),
        ("TemplateID", "1107"),
        ("TemplateVariables", {"name": "Asha", "amount": 12.5}),
        ("CampaignID", "diwali"),
        ("hid", 7),
        ("message_id()", "0f8fad5b-d9cb-469f-a165-70867728950e"),
        ("message_id", "mine"),
        ("MessageID", "0f8fad5b-d9cb-469f-a165-70867728950e"),
        ("MessageID|truncate(8)", "0f8fad5b"),
        ("nobody|default(MessageID)", "0f8fad5b-d9cb-469f-a165-70867728950e"),
        ("seq()", 2),
        ("batch_id()", "0123456789abcdef0123456789abcdef"),
        ("count()", 3),
        ("now()", 1_700_000_000),
        ("'literal'", "literal"),
        ("'it''s'", "it's"),
        ("  To | digits | last( 4 ) ? ", "5678"),
        ("no", False),
        ("zero", 0),
        ("nobody", MISSING),
        ("empty", MISSING),
        ("nothing", MISSING),
        ("''", MISSING),
        ("empty?", MISSING),
        ("empty|upper", MISSING),
        ("empty|default('')", ""),
        ("empty|default(null)", None),
        ("empty|default('x')|upper", "X"),
        ("nobody|default(hid)", 7),
        ("nobody|default(nothing)", MISSING),
        ("nobody|default(To|last(2))", "78"),
        ("zero|default(5)", 0),
        ("uid|digits|default('none')", "1"),
        ("'abc'|digits|default('none')", "none"),
        ("TemplateVariables|get('name')|upper", "ASHA"),
        ("TemplateVariables|under(To|digits)", {"name": {"919812345678": "Asha"}, "amount": {"919812345678": 12.5}}),
        ("hid|map(7='seven', 8='eight')", "seven"),
        ("hid|map(8='eight')", MISSING),
        ("Body|gsm(null, 1)", MISSING),
    ],
)
def test_an_expression_has_the_value_it_says(source: str, value: Any) -> None:
    assert value_of(source) == value
    assert type(value_of(source)) is type(value)


def test_a_message_without_custom_values_has_none_of_them() -> None:
    assert value_of("hid", Message(message_id="1", to="+4412345")) is MISSING


def test_an_argument_without_value_makes_the_message_invalid_and_names_the_replacement() -> None:
    with pytest.raises(MessageError, match=r"^\$\$\{TemplateVariables\|under\(nobody\)\}: under: "):
        value_of("TemplateVariables|under(nobody)")


def test_a_value_is_data_and_never_scanned() -> None:
    assert value_of("Body") == "Your code is $$To 1234"


def test_what_an_expression_reads_is_known_without_running_it() -> None:
    expression = parse("nobody|default(uid)|under(To|digits)|map(1=2)?")
    assert expression.names == {"nobody", "uid", "To"}
    assert expression.optional
    assert parse("'x'|under(batch_id())").calls == {"batch_id"}
    assert parse("Body|raw").raw
    assert not parse("Body").raw


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("plain", ["plain"]),
        ("", []),
        ("$$To", ["To"]),
        ("$$Total", ["Total"]),
        ("a $$To, b", ["a ", "To", ", b"]),
        ("$${To}x", ["To", "x"]),
        ("$$$$", ["$$"]),
        ("$$$$To", ["$$To"]),
        ("cost $5 $", ["cost $5 $"]),
        ("$$To$$Body", ["To", "Body"]),
        ("$${Body|default('}')}", ["Body|default('}')"]),
        ("$${'{F0}'}{F1}", ["'{F0}'", "{F1}"]),
        ("$${'it''s }'}", ["'it''s }'"]),
        ("${NAME}$$To", ["${NAME}", "To"]),
    ],
)
def test_a_text_is_split_from_left_to_right_longest_first(text: str, parts: list[str]) -> None:
    assert [part.source if isinstance(part, Expression) else part for part in split(text)] == parts


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("$$", 0, "names no replacement"),
        ("pay $$5", 4, "names no replacement"),
        ("a $${To", 2, "not closed"),
        ("a $${'To}", 2, "not closed"),
        ("$${}", 3, "starts with a name"),
        ("to $$to", 5, "only in case"),
        ("$$TEMPLATEID", 2, "only in case"),
        ("x $${To|lst(3)}", 8, "filter `lst` is not known; did you mean `last`"),
        ("$${To|last}", 6, "lacks its argument"),
        ("$${To|last('3')}", 6, "whole number from 1 to 1000"),
        ("$${To|last(0)}", 6, "whole number from 1 to 1000"),
        ("$${To|last(1.5)}", 6, "whole number"),
        ("$${To|last(1, 2)}", 6, "takes 1 argument;"),
        ("$${To|digits(1)}", 6, "takes no arguments"),
        ("$${To|digits(a=1)}", 6, "takes no `a=`"),
        ("$${To|map(1)}", 6, "takes pairs"),
        ("$${To|map(a=1, a=2)}", 15, "names `a` twice"),
        ("$${To|map(a=To)}", 12, "needs a constant"),
        ("$${To|replace('', 'b')}", 6, "is empty"),
        ("$${To|join(Body)}", 6, "must be a constant"),
        ("$${To|join(1)}", 6, "must be a text"),
        ("$${To|date('%Q')}", 6, "not understood"),
        ("$${To|date('Y-m-d')}", 6, "not understood"),
        ("$${To|date('iso', 'Mars/Base')}", 6, "time zone"),
        ("$${To|date('iso', '../../etc/passwd')}", 6, "time zone"),
        ("$${To|national('x')}", 6, "country code"),
        ("$${To|ref(3)}", 6, "from 12 to 40"),
        ("$${To|get(-1)}", 6, "a position from 0"),
        ("$${To|raw|digits}", 10, "not the last"),
        ("$${To|}", 6, "name must follow"),
        ("$${To?|digits}", 6, "comes last"),
        ("$${To digits}", 6, "separated by"),
        ("$${To|last(1}", 12, "missing"),
        ("$${ids()}", 3, "`ids()` is not known"),
        ("$${seq(1)}", 7, "missing"),
        ("$${To & Body}", 6, "cannot stand here"),
        ("$${12}", 3, "starts with a name"),
    ],
)
def test_what_is_wrong_is_said_with_its_position(text: str, position: int, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        split(text)
    assert message in str(caught.value)
    assert caught.value.position == position


@given(st.text(alphabet=st.sampled_from("$${}'|()?, ToBdyx5\n"), max_size=30))
def test_any_text_is_split_or_refused_with_a_position_inside(text: str) -> None:
    parts, fault = (), None
    try:
        parts = split(text)
    except ExpressionError as error:
        fault = error
    assert fault is None or 0 <= fault.position <= len(text)
    assert all(parts)
    for part in parts:
        if isinstance(part, Expression):
            part.compile()


@given(st.text(min_size=1))
def test_any_text_can_be_written_as_a_literal(text: str) -> None:
    quoted = "'" + text.replace("'", "''") + "'"
    assert value_of(quoted) == text
    (part,) = split("$${" + quoted + "}")
    assert isinstance(part, Expression)
    assert part.compile()(MESSAGE, BATCH) == text


@given(st.text().filter(lambda text: "$" not in text), st.text().filter(lambda text: "$" not in text))
def test_doubled_marks_are_literal_marks(before: str, after: str) -> None:
    assert "".join(str(part) for part in split(f"{before}$$$${after}")) == f"{before}$${after}"


@given(st.dictionaries(st.text(min_size=1, max_size=5), st.none() | st.booleans() | st.integers() | st.text()))
def test_any_custom_value_comes_back_unchanged_unless_it_is_none(custom: dict[str, Any]) -> None:
    message = Message(message_id="1", to="+4412345", custom={"x": custom})
    assert value_of("x", message) == custom


def test_the_filters_of_an_expression_normalise_a_reply() -> None:
    normalise = parse("To|digits|last(10)").normalise()
    assert normalise("0 98123-45678") == normalise(919812345678) == "9812345678"


@pytest.mark.parametrize("value", [None, "", "abc", [], {"a": 1}])
def test_a_reply_that_a_filter_cannot_take_is_missing_and_no_error(value: Any) -> None:
    assert parse("To|digits|int").normalise()(value) is MISSING


def test_a_reply_cannot_be_normalised_with_values_of_a_message() -> None:
    with pytest.raises(ExpressionError, match="a value of the message"):
        parse("TemplateVariables|under(To)").normalise()


@pytest.mark.parametrize("source", ["To", "To?", "message_id()|ref(20)", "To|digits"])
def test_an_expression_knows_how_it_is_written(source: str) -> None:
    (again,) = split(parse(source).written)
    assert again == parse(source)


@pytest.mark.parametrize(
    ("custom", "value"),
    [
        (None, "m1"),
        ({}, "m1"),
        ({"MessageID": None}, "m1"),
        ({"MessageID": ""}, "m1"),
        ({"messageid": "no", "message_id": "no"}, "m1"),
        ({"MessageID": "theirs"}, "theirs"),
        ({"MessageID": 42}, 42),
        ({"MessageID": 0}, 0),
    ],
)
def test_the_id_of_a_message_is_its_own_but_for_an_events_custom_one(custom, value):
    """For one release: before it had a meaning of its own, `$$MessageID` was a custom name. Together as one by one."""
    message = Message(message_id="m1", to="+919812345678", custom=custom)
    expression = parse("MessageID")
    assert expression.compile()(message, BATCH) == value
    column = expression.column()
    assert column is not None
    assert column([message, message]) == [value, value]


@pytest.mark.parametrize("written", ["messageid", "MessageId", "messageID", "MESSAGEID", "hid|default(messageid)"])
def test_the_id_of_a_message_written_otherwise_is_an_error(written):
    with pytest.raises(ExpressionError, match="differs from `\\$\\$MessageID` only in case") as caught:
        parse(written)
    assert "write $$MessageID, or choose another name" in caught.value.remedy
