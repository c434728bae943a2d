"""How long a span campaigns need."""

from __future__ import annotations

import pytest

from connector.definition.tree import Batching, Constant, Definition, NoAuth, Object, Operation
from connector.model import Campaign, CampaignState
from connector.stream.preflight import span_for


def provider(records: int) -> Definition:
    batching = Batching((("msgs",),), 1, records) if records > 1 else None
    url, none = Constant("https://sms.example.com/"), Object(())
    operation = Operation("send", "", "POST", url, none, none, NoAuth(), "json", None, batching, None)
    return Definition("p", "p.yaml", (operation,))


RUNNING, CANCELLED = Campaign(provider="p"), Campaign(provider="p", state=CampaignState.CANCELLED)


@pytest.mark.parametrize(
    ("campaigns", "records", "partitions", "span"),
    [
        ([], 1000, 1, 0),
        ([RUNNING] * 300, 1000, 12, 50_000),  # K × F = 300,000; twice that over twelve partitions
        ([RUNNING] * 300, 1, 12, 50),
        ([RUNNING, CANCELLED, Campaign(provider="unknown"), Campaign()], 1000, 1, 2000),
        ([RUNNING], 1000, 0, 2000),
    ],
)
def test_full_batches_need_twice_keys_by_records(campaigns, records, partitions, span):
    """Only running campaigns of known providers are counted: events may bring more."""
    assert span_for({"p": provider(records)}, campaigns, partitions) == span
