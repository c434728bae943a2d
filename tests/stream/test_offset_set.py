"""The set of settled offsets: exact, small, and not moved by a single record."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.stream.partitions import offset_set as module
from connector.stream.partitions.offset_set import BLOCK, OffsetSet


def of(offsets, span: int = 500, **options) -> OffsetSet:
    found = OffsetSet(span, **options)
    for offset in offsets:
        found.add(offset)
    return found


@given(st.lists(st.integers(0, 400), max_size=80))
def test_settled_holds_what_was_added(offsets):
    """Within one span of the first offset every offset is kept, in order and once."""
    settled = OffsetSet(span=500)
    for offset in offsets:
        settled.add(offset)
    assert list(settled) == sorted(set(offsets))
    assert bool(settled) == bool(offsets)


@given(st.sets(st.integers(1000, 1400), min_size=1))
def test_resume_is_the_first_hole_after_the_first_settled(offsets):
    """With nothing committed, everything before the first settled event was none of ours to send."""
    settled = OffsetSet(span=500)
    for offset in offsets:
        settled.add(offset)
    expected = min(offsets)
    while expected in offsets:
        expected += 1
    assert settled.resume_at() == expected


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        (None, 102),  # nobody knows whether what stands before was ours to send
        (97, 97),  # all began at 97, and that has no result
        (99, 99),
        (100, 102),
        (500, 102),  # `latest` says nothing about what has begun already
    ],
)
def test_resume_is_the_first_hole_since_all_began(since, expected):
    settled = OffsetSet(span=500)
    for offset in (100, 101, 105):
        settled.add(offset)
    assert settled.resume_at(since) == expected


def test_nothing_settled_says_nothing():
    """An empty results log does not pretend to know a start."""
    assert OffsetSet(10).resume_at() is None


@given(
    st.lists(
        st.tuples(st.booleans(), st.one_of(st.integers(0, 3 * BLOCK), st.integers(0, 10**18), st.just(BLOCK - 1))),
        max_size=200,
    ),
    st.booleans(),
)
def test_it_is_a_set(steps, filled) -> None:
    """Whatever is added and taken out, near and far, in blocks of few, many and all offsets."""
    found, model = OffsetSet(1000), set()
    if filled:
        model = set(range(BLOCK))
        found.add_all(model)
    for added, offset in steps:
        if added:
            assert found.add(offset)
            model.add(offset)
        else:
            found.discard(offset)
            model.discard(offset)
    assert list(found) == sorted(model)
    assert all(offset in found for offset in model)
    assert bool(found) is bool(model)
    for probe in [0, BLOCK - 1, BLOCK, 10**18, *(offset + 1 for offset in model)]:
        assert (probe in found) is (probe in model)
        assert found.any_between(probe, probe + 3) is bool(model & {probe, probe + 1, probe + 2})


def test_an_offset_beyond_the_end_of_the_log_names_no_event() -> None:
    found = OffsetSet(500, begin=10, end=1000)
    assert not found.add(1000)
    assert not found.add(3_000_000_000)
    assert not found.add(999_999_999_999_999_999)
    assert not found.add(-1)
    assert found.add(999)
    assert found.add(5), "settled long ago: nothing is wrong with it"
    assert list(found) == [999]


def test_one_record_far_ahead_takes_little_and_nothing_is_forgotten_for_it() -> None:
    found = of(range(100, 200), end=4_000_000_000)
    assert found.add(3_000_000_000)
    assert list(found) == [*range(100, 200), 3_000_000_000]
    assert len(found._blocks) == 2


def test_a_flood_of_records_far_apart_is_bounded() -> None:
    found = of(range(100, 200), end=1 << 60)
    taken = sum(found.add(number * BLOCK) for number in range(10, 2 * module.MOST_SPARSE))
    assert taken <= module.MOST_SPARSE
    assert all(offset in found for offset in range(100, 200))


def test_a_million_results_in_order_take_next_to_nothing_and_the_resume_point_is_right_behind_them() -> None:
    found = of(range(1_000_000), span=1000, slides=True)
    assert found.resume_at() == 1_000_000
    assert not any(type(block) is module._Block for block in list(found._blocks.values())[:-1])


def test_results_with_gaps_slide() -> None:
    """As behind a transactional producer, whose markers take offsets: every other one of three million."""
    found = of(range(0, 3_000_000, 2), span=100_000, slides=True)
    assert len(found._dense) <= 4 * 100_000 // BLOCK + module.MAX_SET_OFFSETS
    assert found.resume_at() == 2_999_998 - 200_000 + 1


@pytest.mark.parametrize("forged", [0, 1_000_000, 3_999_999])
def test_where_to_go_on_is_not_moved_by_a_single_record(forged) -> None:
    """Whether it comes first or last."""
    real = range(2_000_000, 2_001_000)
    expected = 2_001_000 if forged > 2_000_000 else max(2_000_000 - 199_001 + 200_000, 0)
    for offsets in ([forged, *real], [*real, forged]):
        at = of(offsets, span=100_000, end=4_000_000, slides=True).resume_at()
        if forged > 2_000_000:
            assert at == expected
        else:  # not before what could be open; what lies between has no result
            assert at == 2_000_999 - 200_000


def test_of_few_results_the_one_by_itself_counts_least() -> None:
    assert of([5, 6, 7, 900_000], span=1000, slides=True).resume_at() == 8
    assert of([900_000, 5, 6, 7], span=1000, slides=True).resume_at() == 8
