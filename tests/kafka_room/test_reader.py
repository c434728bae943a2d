"""What is asked of a group's coordinator while there is none yet."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka.errors import GroupCoordinatorNotAvailableError

from connector.kafka import reader
from connector.kafka.reader import Members, TopicReader


class Admin:
    """Has a coordinator after so many questions."""

    def __init__(self, refusals: int) -> None:
        self.refusals = refusals

    async def describe_consumer_groups(self, groups: list[str]) -> list[Any]:
        self.refusals -= 1
        if self.refusals >= 0:
            raise GroupCoordinatorNotAvailableError
        return [SimpleNamespace(groups=[(0, groups[0], "Empty", "consumer", "", [])])]


@pytest.mark.parametrize(("refusals", "answered"), [(0, True), (3, True), (1000, False)])
async def test_a_new_cluster_is_asked_until_somebody_coordinates_the_group(
    refusals: int, answered: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its first question makes it create the topic groups are kept in; for ever is not waited."""
    monkeypatch.setattr(reader, "COORDINATOR_SECONDS", 0.0)
    asked = TopicReader(cast(Any, None), cast(Any, None), cast(Any, Admin(refusals)), ())
    if answered:
        assert await asked.members("sms-connector") == Members("Empty", 0)
    else:
        with pytest.raises(GroupCoordinatorNotAvailableError):
            await asked.members("sms-connector")
