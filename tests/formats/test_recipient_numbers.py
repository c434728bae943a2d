"""`recipients.country`, `countries` and `blocked_countries`: which numbers are read, and which are not texted."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.errors import MessageError, SettingsError
from connector.formats.recipient_numbers import RecipientNumbers
from connector.settings.model import Recipients
from tests.thorough import examples


def numbers(**section: object) -> RecipientNumbers:
    return RecipientNumbers(Recipients.model_validate(section))


@pytest.mark.parametrize(
    ("country", "written", "found"),
    [
        ("IN", "9812345678", "+919812345678"),
        ("IN", "09812345678", "+919812345678"),
        ("IN", "+91 98123-45678", "+919812345678"),
        ("IN", "(0)98123 45678", "+919812345678"),
        ("IN", "919812345678", "+919812345678"),
        ("IN", "00919812345678", "+919812345678"),
        ("IN", "+14155550100", "+14155550100"),
        ("IN", "+44 7400 123456", "+447400123456"),
        ("GB", "07400 123456", "+447400123456"),
        ("US", "(415) 555-0100", "+14155550100"),
        ("US", "1-415-555-0100", "+14155550100"),
        ("BR", "11 96123-4567", "+5511961234567"),
        ("IT", "312 345 6789", "+393123456789"),
    ],
)
def test_numbers_are_read_as_people_of_a_country_write_them(country, written, found):
    assert numbers(country=country).normalised(written) == found


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("98123", "too short or too long"),
        ("14155550100", "no number of IN"),  # another country's, without its plus sign: nobody may guess
        ("447400123456", "no number of IN"),
        ("+9198", "too short or too long"),
        ("+91981234567890123", "no phone number"),
        ("+999123456789", "no phone number"),
        ("00", "no phone number"),
    ],
)
def test_what_is_no_number_of_the_country_is_told_and_not_guessed(written, why):
    with pytest.raises(MessageError) as error:
        numbers(country="IN").normalised(written)
    assert why in error.value.reason
    assert written not in error.value.reason


@pytest.mark.parametrize(
    ("section", "to", "refused"),
    [
        ({"countries": ["IN"]}, "+919812345678", None),
        ({"countries": ["IN"]}, "919812345678", None),
        ({"countries": ["IN"]}, "+14155550100", "US"),
        ({"countries": ["US"]}, "+14155550100", None),
        ({"countries": ["US"]}, "+18765550100", "JM"),  # they share +1, and not the price
        ({"countries": ["US"]}, "+19005550100", "premium-rate"),
        ({"countries": ["GB"]}, "+447400123456", None),
        ({"countries": ["GB"]}, "+447797712345", "JE"),
        ({"countries": ["GB"]}, "+449012345678", "premium-rate"),
        ({"countries": ["IN"]}, "+881612345678", "001"),  # satellites, by the minute
        ({"countries": ["IN"]}, "+979123456789", "001"),
        ({"blocked_countries": ["CU"]}, "+881612345678", "001"),
        ({"blocked_countries": ["CU"]}, "+870773111632", "001"),
        ({"blocked_countries": ["CU"]}, "+883510012345", "001"),
        ({"blocked_countries": ["JM"]}, "+18765550100", "JM"),
        ({"blocked_countries": ["JM"]}, "+14155550100", None),
        ({"blocked_countries": ["LV", "CU"]}, "+37120000000", "LV"),
        ({"blocked_countries": ["LV", "CU"]}, "+5350000000", "CU"),
        ({"countries": ["IN", "LV"], "blocked_countries": ["LV"]}, "+37120000000", "LV"),
        ({"countries": ["IN"]}, "+999123456789", "no phone number"),
        ({"countries": ["IN"]}, "+9198", "no phone number"),
    ],
)
def test_countries_that_are_not_texted(section, to, refused):
    found = numbers(**section).refusal(to)
    assert (found is None) if refused is None else (found is not None and refused in found), found
    assert found is None or to not in found


def test_where_the_country_is_not_certain_all_it_may_be_of_are_asked():
    """An area code that is newer than the package: under +1 there are two dozen countries."""
    assert numbers(countries=["US"]).refusal("+12110000000") is not None
    assert numbers(blocked_countries=["JM"]).refusal("+12110000000") is not None
    assert numbers(blocked_countries=["LV"]).refusal("+12110000000") is None


def test_an_event_keeps_everything_but_its_number():
    event = b'{"message_id": "m1", "to": "98123 45678", "custom": {"n": 1.10, "big": 123456789012345678901234567890}}'
    found = numbers(country="IN").message(event)
    assert msgspec.json.decode(found)["to"] == "+919812345678"
    assert b'"custom":{"n": 1.10, "big": 123456789012345678901234567890}' in found


@pytest.mark.parametrize(
    "event",
    [
        b'{"message_id":"m1","to":"+919812345678"}',
        b'{"message_id":"m1"}',
        b'{"to":1}',
        b'{"to":"1-800-FLOWERS"}',
        b'{"to":"+91981234567\n"}',
        b"[]",
        b"{",
        b"\xff",
        b'{"to":' + b"[" * 100_000,
    ],
)
def test_an_event_that_has_no_number_to_be_read_is_left_as_it_is(event):
    """Whatever else is wrong with it is told where it is decoded."""
    assert numbers(country="IN").message(event) == event


@settings(max_examples=examples(300))
@given(st.one_of(st.text(max_size=60), st.text("+0123456789 ()-./", max_size=45)))
def test_nothing_that_others_write_raises_anything_else(to):
    by_country = numbers(country="IN", countries=["IN"])
    try:
        found = msgspec.json.decode(by_country.message(msgspec.json.encode({"to": to})))["to"]
    except MessageError:
        return
    assert isinstance(by_country.refusal(found), str | None)


@pytest.mark.parametrize("section", [{"country": "XX"}, {"countries": ["IN", "UK"]}, {"blocked_countries": ["EU"]}])
def test_a_country_that_is_none_stops_the_start(section):
    with pytest.raises(SettingsError, match=f"recipients.{next(iter(section))}"):
        numbers(**section)


def test_nothing_is_imported_for_those_who_ask_for_none(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "phonenumbers", None)
    assert not numbers().judges
    with pytest.raises(SettingsError, match="extra `numbers`"):
        numbers(country="IN")
