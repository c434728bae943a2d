"""Who is exempt, and for whom an entry of one sender counts."""

from __future__ import annotations

import pytest

from connector.model import Message
from connector.suppressions.phone_list import PhoneList
from connector.suppressions.policy import Exemptions, SuppressionPolicy
from connector.suppressions.record import Phone

NUMBER = 919812345678
NOBODY = Exemptions()


def message(campaign: str | None = None, **custom: object) -> Message:
    return Message("m", f"+{NUMBER}", campaign_id=campaign, custom=dict(custom) or None)


def policy(exempt: Exemptions = NOBODY, *, entry: str | None = None, sender: str | None = None) -> SuppressionPolicy:
    phones = PhoneList()
    phones.add(Phone(NUMBER, entry))
    return SuppressionPolicy(phones, exempt, sender)


@pytest.mark.parametrize(
    ("campaign", "exempt"),
    [
        ("otp-login", True),
        ("otp-", True),
        ("otp", False),
        ("xotp-1", False),
        (None, False),
        ("a[1]?", True),
        ("a1x", False),
    ],
)
def test_campaigns_are_exempt_by_pattern(campaign: str | None, exempt: bool) -> None:
    asked = policy(Exemptions(campaigns=["otp-*", "a[1]?"]))
    assert asked.suppresses("sms.messages", message(campaign)) is not exempt


def test_a_source_is_exempt() -> None:
    asked = policy(Exemptions(sources=["sms.otp"]))
    assert not asked.suppresses("sms.otp", message())
    assert asked.suppresses("sms.messages", message())


@pytest.mark.parametrize(("value", "exempt"), [("otp", True), ("OTP", False), (7, True), ("", False), (None, False)])
def test_a_value_of_a_custom_replacement_exempts(value: object, exempt: bool) -> None:
    asked = policy(Exemptions(custom={"category": ["otp", "7"]}))
    assert asked.suppresses("sms.messages", message(category=value)) is not exempt


@pytest.mark.parametrize(
    ("entry", "setting", "custom", "suppressed"),
    [
        (None, None, {}, True),
        (None, "from", {"from": "ACME"}, True),
        ("acme", "from", {"from": "ACME"}, True),
        ("acme", "from", {"from": "Other"}, False),
        ("acme", "from", {}, True),  # who sends it is not known
        ("acme", "from", {"from": ""}, True),
        ("acme", "from", {"from": ["ACME"]}, True),
        ("acme", None, {"from": "Other"}, True),
        ("15550100", "from", {"from": "+1 555 0100"}, True),
        ("15550100", "from", {"from": 15550100}, True),
    ],
)
def test_an_entry_of_one_sender_counts_for_it_and_where_the_sender_is_unknown(
    entry: str | None, setting: str | None, custom: dict[str, object], suppressed: bool
) -> None:
    asked = policy(entry=entry, sender=setting)
    assert asked.some([message(**custom)])
    assert asked.suppresses("sms.messages", message(**custom)) is suppressed


def test_other_numbers_are_not_touched() -> None:
    asked = policy()
    others = [Message("m", to) for to in (f"+{NUMBER}1", f"+{NUMBER - 1}", f"{NUMBER + 4096}", "+" + "9" * 19)]
    assert not asked.some(others)
    assert not any(asked.suppresses("t", it) for it in others)
