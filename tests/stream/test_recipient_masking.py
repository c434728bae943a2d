"""What results say of the recipient."""

from __future__ import annotations

from datetime import UTC, datetime

from pydantic import SecretStr

from connector.model import Result, Source, Status
from connector.settings.model import Results
from connector.stream.output.recipient_masking import presenter


def result(**fields) -> Result:
    return Result(Status.ACCEPTED, Source("t", 0, 0), datetime(2025, 1, 1, tzinfo=UTC), "m", **fields)


def presented(results: Results, **fields) -> Result:
    changed = result(**fields)
    change = presenter(results)
    assert change is not None
    change(changed)
    return changed


def test_plain_results_are_left_alone():
    """Nothing is called per result."""
    assert presenter(Results()) is None


def test_masked_keeps_the_last_three_digits():
    """Enough to tell two recipients apart on a support call."""
    assert presented(Results(to="masked"), to="+919812345678").to == "**********678"


def test_hashed_is_the_same_for_the_same_number_however_it_is_written():
    """With another salt it is another hash; the number cannot be read from it."""
    one = Results(to="hashed", salt=SecretStr("0123456789abcdef"))
    other = Results(to="hashed", salt=SecretStr("fedcba9876543210"))
    plus, bare = presented(one, to="+919812345678").to, presented(one, to="919812345678").to
    assert plus == bare
    assert plus != presented(other, to="+919812345678").to
    assert "9812345678" not in plus


def test_a_message_id_made_of_the_number_does_not_give_it_away():
    """SMSINDIAHUB's older API answers `9198…-749a062f`."""
    for setting in (Results(to="masked"), Results(to="hashed", salt=SecretStr("0123456789abcdef"))):
        changed = presented(setting, to="+919812345678", provider_message_id="919812345678-749a")
        assert "98123456" not in (changed.provider_message_id or "")
        assert (changed.provider_message_id or "").endswith("-749a")


def test_a_result_without_a_recipient_is_left_alone():
    """An event that could not be read has none."""
    assert presented(Results(to="masked")).to is None
