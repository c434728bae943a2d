"""Windows: which of them leaves next, by invariant and by example."""

from datetime import UTC, datetime
from random import Random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from connector.delivery.queue.item import Item
from connector.delivery.queue.window_key import WindowKey
from connector.delivery.queue.windows import LONE_STREAK, REQUEST_BYTES, Window, Windows, WindowShape
from tests.thorough import examples

WAIT, WAIT_MAX, FULL = 1.0, 5.0, 10
NOW = datetime.now(UTC)


def item(since: float) -> Item:
    made = Item(b"{}", None, 0, None, NOW)
    made.since = since
    return made


def key(campaign: str = "c", *, high: bool = False, operation: int = 0) -> WindowKey:
    return WindowKey(operation, campaign, None, high)


def windows(*shapes: WindowShape) -> Windows:
    return Windows(shapes or [WindowShape(FULL, WAIT)], WAIT_MAX)


def fill(made: Windows, campaign: str, count: int, since: float, *, high: bool = False) -> None:
    for _ in range(count):
        made.add(key(campaign, high=high), item(since))


def chosen(made: Windows, now: float, *, idle: bool = False, caught_up: bool = False, full: bool = False) -> str | None:
    window = made.choose(now, idle=idle, caught_up=caught_up, memory_full=full)
    return None if window is None else str(window.key.campaign) + ("!" if window.key.high else "")


@pytest.mark.parametrize(
    ("now", "state", "expected"),
    [
        (1.9, {}, "full"),  # the full one although another is older
        (4.9, {}, "full"),
        (5.0, {}, "old"),  # older than wait_max: before the full one
        (4.9, {"caught_up": True}, "full"),
        (4.9, {"full": True}, "full"),
    ],
)
def test_full_windows_go_before_older_ones_until_wait_max(now: float, state: dict[str, bool], expected: str) -> None:
    made = windows()
    fill(made, "old", 3, since=0.0)
    fill(made, "full", FULL, since=1.5)
    assert chosen(made, now, **state) == expected


@pytest.mark.parametrize(
    ("now", "state", "expected"),
    [
        (0.5, {}, None),  # more is coming: fill on
        (4.9, {}, None),
        (0.5, {"caught_up": True}, None),  # not past its wait
        (1.0, {"caught_up": True}, "first"),
        (0.5, {"caught_up": True, "idle": True}, "first"),  # wait is a bound, not a duty
        (0.5, {"idle": True}, None),  # events are waiting to be read: fill
        (0.5, {"full": True}, "more"),
        (1.0, {"full": True, "caught_up": True}, "first"),
    ],
)
def test_partial_windows_leave_only_for_a_reason(now: float, state: dict[str, bool], expected: str | None) -> None:
    made = windows()
    fill(made, "first", 1, since=0.0)
    fill(made, "more", 6, since=0.2)
    assert chosen(made, now, **state) == expected


def test_a_lone_message_of_an_idle_lane_leaves_at_once_also_while_events_wait_to_be_read() -> None:
    made = windows()
    fill(made, "c", 1, since=0.0)
    assert chosen(made, 0.0, idle=True) == "c"
    assert chosen(made, 0.0) is None


def test_high_priority_is_a_window_of_its_own_and_goes_before_everything() -> None:
    made = windows()
    fill(made, "c", FULL, since=-100.0)
    fill(made, "c", 1, since=0.0, high=True)
    assert len(made) == 2
    assert chosen(made, 0.0) == "c!"


def test_full_windows_take_turns_by_their_oldest_message() -> None:
    """A campaign with a long backlog gives way to the next one after each request."""
    made = windows()
    for number in range(3 * FULL):
        made.add(key("large"), item(number * 0.01))
    fill(made, "small", FULL, since=0.05)
    order = []
    for _ in range(4):
        window = made.choose(1.0, idle=False, caught_up=False, memory_full=False)
        assert window is not None
        order.append(window.key.campaign)
        made.pop(window, 1000, 1.0)
    assert order == ["large", "small", "large", "large"]


def test_operations_wait_as_long_as_they_say_but_not_beyond_wait_max() -> None:
    made = windows(WindowShape(FULL, 0.2), WindowShape(FULL, 60.0))
    made.add(key("a", operation=0), item(0.5))
    made.add(key("b", operation=1), item(0.0))
    made.add(key("b", operation=1), item(0.0))
    assert chosen(made, 0.7, caught_up=True) == "a"
    window = made.choose(0.7, idle=False, caught_up=True, memory_full=False)
    assert window is not None
    made.pop(window, 10, 0.7)
    assert chosen(made, 4.9, caught_up=True) is None
    assert made.next_change(caught_up=True) == 5.0
    assert chosen(made, 5.0, caught_up=True) == "b"


def close_alone(made: Windows, now: float, campaign: str = "c") -> None:
    made.add(key(campaign), item(now))
    window = made.choose(now + WAIT, idle=False, caught_up=True, memory_full=False)
    assert window is not None
    made.pop(window, 1000, now + WAIT)


def test_a_campaign_whose_windows_keep_closing_with_one_message_is_sent_at_once() -> None:
    made = windows()
    for number in range(LONE_STREAK):
        assert chosen(made, 10.0 * number) is None
        close_alone(made, 10.0 * number)
    made.add(key("c"), item(100.0))
    assert chosen(made, 100.0, caught_up=True) == "c"
    made.add(key("other"), item(100.0))
    made.pop(made.choose(100.0, idle=False, caught_up=True, memory_full=False), 10, 100.0)  # type: ignore[arg-type]
    assert chosen(made, 100.0, caught_up=True) is None


def test_it_waits_again_when_waiting_would_have_brought_two_together() -> None:
    made = windows()
    for number in range(LONE_STREAK):
        close_alone(made, 10.0 * number)
    made.add(key("c"), item(100.0))
    made.pop(made.choose(100.0, idle=False, caught_up=True, memory_full=False), 10, 100.0)  # type: ignore[arg-type]
    made.add(key("c"), item(100.5))
    assert chosen(made, 100.5, caught_up=True) is None


def test_what_is_given_back_stands_before_the_others() -> None:
    made = windows()
    first = [item(1.0) for _ in range(4)]
    for one in first:
        made.add(key(), one)
    window = made.choose(10.0, idle=True, caught_up=True, memory_full=False)
    assert window is not None
    taken = made.pop(window, 3, 10.0)
    made.give_back(key(), taken)
    window = made.choose(10.0, idle=True, caught_up=True, memory_full=False)
    assert window is not None
    assert made.pop(window, 10, 10.0) == first


def test_removing_leaves_the_rest_in_order_and_in_its_place() -> None:
    made = windows()
    items = [item(float(number)) for number in range(FULL)]
    for one in items:
        made.add(key(), one)
    assert made.remove(lambda _key, one: one in items[:3]) == items[:3]
    assert made.count == FULL - 3
    assert chosen(made, 4.0) is None  # no longer full, and its oldest is younger now
    fill(made, "c", 3, since=4.0)
    assert chosen(made, 4.0) == "c"  # full again
    assert made.remove(lambda _key, _item: True) != []
    assert (len(made), made.count) == (0, 0)


class Model(RuleBasedStateMachine):
    """Against a plain dictionary: the same messages, the right choice, nothing lost, ranks never stale."""

    keys = Bundle("keys")
    shapes = (WindowShape(4, 0.5), WindowShape(1, 0.0), WindowShape(6, 2.0))

    @initialize()
    def start(self) -> None:
        self.now = 0.0
        self.made = windows(*self.shapes)
        self.records = [shape.records for shape in self.shapes]
        self.model: dict[WindowKey, list[Item]] = {}
        self.taken: list[tuple[WindowKey, list[Item]]] = []

    @rule(
        target=keys,
        operation=st.integers(0, 2),
        campaign=st.sampled_from("abc"),
        high=st.sampled_from([False] * 4 + [True]),
    )
    def a_key(self, operation: int, campaign: str, high: bool) -> WindowKey:
        return WindowKey(operation, campaign, None, high)

    @rule(where=keys, count=st.sampled_from([1, 2, 3, 5, 8, 70]))
    def add(self, where: WindowKey, count: int) -> None:
        for _ in range(count):
            new = item(self.now)
            self.made.add(where, new)
            self.model.setdefault(where, []).append(new)

    @rule(seconds=st.sampled_from([0.0, 0.1, 0.5, 1.0, 4.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(limit=st.sampled_from([1, 3, 1000]), idle=st.booleans(), caught_up=st.booleans(), memory_full=st.booleans())
    def take(self, limit: int, idle: bool, caught_up: bool, memory_full: bool) -> None:
        window = self.made.choose(self.now, idle=idle, caught_up=caught_up, memory_full=memory_full)
        self.check(window, idle, caught_up, memory_full)
        if window is None:
            return
        waiting = self.model[window.key]
        number = min(limit, self.records[window.key.operation], len(waiting))
        got = self.made.pop(window, limit, self.now)
        assert got == waiting[:number]
        del waiting[:number]
        if not waiting:
            del self.model[window.key]
        self.taken.append((window.key, got))

    @rule(again=st.booleans())
    def give_back(self, again: bool) -> None:
        if not self.taken:
            return
        where, items = self.taken.pop()
        if again:
            for one in items:
                one.since = self.now
        self.made.give_back(where, items)
        self.model[where] = items + self.model.get(where, [])

    @rule(where=keys)
    def remove(self, where: WindowKey) -> None:
        removed = self.made.remove(lambda at, _item: at == where)
        assert removed == self.model.pop(where, [])

    @rule(campaign=st.sampled_from("abc"), hold=st.booleans())
    def hold(self, campaign: str, hold: bool) -> None:
        (self.made.hold if hold else self.made.release)(campaign)

    @rule(campaigns=st.sets(st.sampled_from("abc"), max_size=2))
    def set_aside(self, campaigns: set[str | None]) -> None:
        self.made.set_aside(campaigns)

    @invariant()
    def same(self) -> None:
        if hasattr(self, "made"):
            assert {window.key: list(window.items) for window in self.made} == self.model
            assert self.made.count == sum(map(len, self.model.values()))

    def check(self, window: Window | None, idle: bool, caught_up: bool, memory_full: bool) -> None:
        """The order of design.md, written as a search over everything."""
        stopped = self.made.held | self.made.aside
        ages = {k: items[0].since for k, items in self.model.items() if k.campaign not in stopped}
        assert window is None or window.key in ages
        high = {k: age for k, age in ages.items() if k[3]}
        normal = {k: age for k, age in ages.items() if not k[3]}
        overdue = {k: age for k, age in normal.items() if self.now - age >= WAIT_MAX}
        full = {k: age for k, age in normal.items() if len(self.model[k]) >= self.records[k[0]]}
        for group in (high, overdue, full):
            if group:
                assert window is not None
                assert ages[window.key] == min(group.values())
                assert window.key in group
                return
        if window is not None and not memory_full and not idle:
            assert caught_up
            assert self.now >= window.since + window.wait
        if memory_full and normal:
            assert window is not None
            if not caught_up:
                largest = max(len(self.model[k]) for k in normal)
                assert 2 * len(window.items) > largest
        if caught_up and not memory_full and (idle or any(self.now - age >= 2.0 for age in normal.values())):
            assert (window is not None) == bool(normal)


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=examples(60), stateful_step_count=40, deadline=None)


class OneRecordModel(Model):
    """The same where each message is a request of its own: every window is full, and only two rankings are kept."""

    shapes = (WindowShape(1, 0.0), WindowShape(1, 2.0), WindowShape(1, 0.5))


TestOneRecordModel = OneRecordModel.TestCase
TestOneRecordModel.settings = TestModel.settings


def test_a_window_that_was_full_before_is_noticed_when_it_is_full_again() -> None:
    made = windows()
    fill(made, "c", FULL + 2, since=0.0)
    window = made.choose(0.0, idle=False, caught_up=False, memory_full=False)
    assert window is not None
    made.pop(window, FULL, 0.0)
    assert chosen(made, 0.0) is None
    fill(made, "c", FULL - 2, since=0.0)
    assert chosen(made, 0.0) == "c"


@pytest.mark.parametrize("records", [1, FULL])
def test_older_messages_behind_one_that_was_given_back_go_before_younger_windows(records: int) -> None:
    made = windows(WindowShape(records, WAIT))
    fill(made, "old", FULL, since=0.0)
    made.give_back(key("old"), [item(2.0)])
    fill(made, "young", FULL, since=1.0)
    assert chosen(made, 2.0) == "young"
    old = next(window for window in made if window.key.campaign == "old")
    made.pop(old, 1, 2.0)
    assert chosen(made, 2.0) == "old"


@pytest.mark.parametrize("records", [1, FULL])
def test_a_campaign_set_aside_stays_so_when_a_hold_of_it_ends(records: int) -> None:
    made = windows(WindowShape(records, WAIT))
    fill(made, "c", FULL, since=0.0)
    made.set_aside({"c"})
    made.hold("c")
    made.release("c")
    assert chosen(made, 9.0, idle=True, caught_up=True) is None
    assert not made.free("c")
    made.hold("c")
    made.set_aside(set())
    assert chosen(made, 9.0, idle=True, caught_up=True) is None
    made.release("c")
    assert chosen(made, 9.0) == "c"


def test_rankings_do_not_grow_with_traffic() -> None:
    """Superseded heap entries are thrown away: memory follows the open windows, not the messages that have passed."""
    made, random = windows(WindowShape(2, 1.0)), Random(1)
    fill(made, "stays", 1, since=0.0, high=True)  # hides the others from every look at them
    for now in range(5000):
        campaign = str(random.randrange(200))
        made.add(key(campaign), item(float(now)))
        for window in list(made):
            if len(window.items) == 2:
                made.pop(window, 2, float(now))
    assert len(made) <= 201
    for ranking in made._rankings:
        assert len(ranking._heap) <= 2 * len(made) + 66


@pytest.mark.parametrize(
    ("sizes", "taken"),
    [
        ([REQUEST_BYTES // 4] * 4, 4),
        ([REQUEST_BYTES // 4] * 4 + [1], 4),
        ([REQUEST_BYTES // 2 + 1] * 2, 1),
        ([2 * REQUEST_BYTES, 1], 1),
        ([1, 2 * REQUEST_BYTES], 1),
    ],
)
def test_a_request_takes_no_more_than_so_many_bytes_of_events(sizes: list[int], taken: int) -> None:
    made = windows(WindowShape(100, WAIT))
    for size in sizes:
        made.add(key(), Item(bytes(size), None, 0, None, datetime.now(UTC), since=1.0))
    window = made.choose(1.0, idle=True, caught_up=True, memory_full=False)
    assert window is not None
    assert len(made.pop(window, 100, 1.0)) == taken
    assert made.count == len(sizes) - taken
