"""Phone numbers as samples show them: which values are one, and which replacement stands in their place."""

from __future__ import annotations

import re
from typing import Final

from connector.definition.check_request import secret_name
from connector.tools.importing.constants import names_a_time
from connector.tools.importing.http_call import Tree
from connector.tools.importing.leaves import Leaf, dotted
from connector.tools.importing.literal import plain_name
from connector.tools.importing.usual_names import SENDER, TEMPLATE, TO, USER

# A number as documentation writes it: 447700900123, +91 98XXX XXXXX, (415) 555-0100.
_phone = re.compile(
    r"(?P<prefix>(?:tel:|sms:|whatsapp:)?)(?P<plus>\+|00| |)(?P<core>[0-9(][0-9Xx*(). -]{5,21}[0-9Xx*])"
).fullmatch
_lettered = re.compile(r"(?:00)?[1-9][0-9]+\w*").fullmatch  # 9198YYYYYYYY
_certain = re.compile(r"\+[0-9Xx]{8,15}|[1-9][0-9Xx]{10,14}").fullmatch
_several = re.compile(r"[^,;<|]+(?:([,;<|] ?)[^,;<|]+)+").fullmatch
_stands_for_one = re.compile(r"[\w+*{}<>\[\]-]{2,30}").fullmatch
_INDIAN: Final = "6789xX"  # how a mobile number of India begins, without its country code


def is_phone(leaf: Leaf) -> bool:
    """Whether it looks like a number, or a list of them."""
    return _phone(re.split("[,;<|]", leaf.text)[0]) is not None


def certainly_phone(leaf: Leaf) -> bool:
    """Whether it is one whatever its key is called."""
    return bool(
        leaf.path[0] != "headers"
        and _certain(leaf.text)
        and not secret_name(leaf.name)
        and not names_a_time(leaf.name)
        and plain_name(leaf.name) not in (*SENDER, *USER, *TEMPLATE)
    )


def phone_key(key: str) -> bool:
    """Whether a key of a map is a number."""
    return _certain(key) is not None


def by_phone(node: Tree) -> bool:
    """Whether all keys of a map are numbers."""
    return isinstance(node, dict) and bool(node) and all(map(_certain, node))


def listed(leaf: Leaf) -> tuple[str, str] | None:
    """The first of several numbers in one text and what separates them; None where there is one only."""
    many = _several(leaf.text)
    if many is None:
        return None
    numbers = [each.strip() for each in leaf.text.split(many[1].strip())]
    lettered = plain_name(leaf.name) in TO and all(map(_stands_for_one, numbers))  # 9198XXXXXXXX,9198YYYYYYYY
    return (leaf.text.split(many[1])[0], many[1]) if _phone(numbers[0]) or lettered else None


def as_recipient(text: str, *, number: bool, leaf: Leaf) -> tuple[str, str]:
    """The replacement in place of a sample's number, and what is to be looked at; nothing where that is certain."""
    match, place = _phone(text), dotted(leaf.path)
    if match is None and _lettered(text):
        return "$${To|digits}", ""
    if match is None:
        return "$$To", "" if text.startswith("+") else f"{place}: write $${{To|digits}} if the provider wants no +"
    if match["plus"] in ("+", " "):  # a + that was not encoded in a form reads as a space
        return f"{match['prefix']}$$To", ""
    filters, note = "digits", ""
    if sum(character in "0123456789Xx*" for character in match["core"]) == 10 and not match["plus"]:
        if match["core"][0] in _INDIAN:
            filters = "digits|last(10)"
            note = f"{place}: ten digits, so the country code is cut off; national(91) would refuse others"
        else:
            note = f"{place}: ten digits: write $${{To|digits|last(10)}} if the provider wants no country code"
    return f"{match['prefix']}{match['plus']}$${{To|{filters}{'|int' if number else ''}}}", note
