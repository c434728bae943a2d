"""What `campaign put` finds in a campaign before it is written."""

from __future__ import annotations

import pytest

from connector.config_text.environment import Environment
from connector.definition.load import load_all
from connector.model import Campaign
from connector.workbench.requirements import check

BATCHED = """\
name: acme
method: POST
url: https://sms.example.com/
parameters:
  json: {hid: $$hid, tid: $$TemplateID, note: '$${note?}', lang: "$${lang|default('en')}", cid: $$CampaignID,
         msgs: [{to: $$To, uid: $$uid}]}
batching: {key: msgs, records: 10}
"""
SINGLE = """\
name: single
method: POST
url: https://sms.example.com/
parameters: {json: {to: $$To, text: $$Body, hid: $$hid}}
"""


@pytest.fixture
def definitions(tmp_path):
    for name, text in (("acme", BATCHED), ("single", SINGLE)):
        (tmp_path / f"{name}.yaml").write_text(text)
    return load_all([tmp_path], Environment.placeholders())


@pytest.mark.parametrize(
    ("campaign", "paths"),
    [
        (Campaign(), []),
        (Campaign(provider="acme", template_id="t", custom={"hid": "1"}), []),
        (Campaign(provider="acme"), ["custom.hid", "template_id"]),
        (Campaign(provider="acme", template_id="t", custom={"hid": "1", "uid": "u", "lang": "hi", "note": ""}), []),
        (Campaign(provider="acme", template_id="t", custom={"hid": "1", "hdi": "2"}), ["custom.hdi"]),
        (Campaign(provider="single"), []),
        (Campaign(provider="acne"), ["provider"]),
        (Campaign(hours="9-5"), ["hours"]),
    ],
    ids=str,
)
def test_missing_and_unread_values_are_named(definitions, campaign, paths):
    """What stands outside the records and has no default is missing; a value nobody reads is a slip."""
    assert [problem.path for problem in check(campaign, definitions)] == paths


def test_values_that_events_bring_are_not_missing(definitions):
    """The operator says so, name by name."""
    assert check(Campaign(provider="acme"), definitions, ("hid", "TemplateID")) == []


def test_without_definitions_at_hand_only_the_campaign_itself_is_checked():
    """An operator's machine may have none."""
    assert check(Campaign(provider="acme"), {}) == []


def test_a_campaign_cannot_set_the_id_of_its_messages():
    (problem,) = check(Campaign(custom={"MessageID": "same"}), {})
    assert problem.path == "custom.MessageID"
    assert "each event's message_id" in problem.message
