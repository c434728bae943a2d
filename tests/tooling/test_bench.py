"""The bench's own logic: what it draws, how it judges."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import suppressions
from bench.cell import KINDS, Figures
from bench.measuring import LIMIT_SECONDS
from bench.peer import Peer
from bench.plot import write_plot
from bench.sections import SECTIONS, work_of_a_peer
from bench.side_by_side import median, systems
from bench.soak import Sample, remark, verdicts
from bench.verdict import slope
from tests.processes import ConnectorProcess

ROOT = Path(__file__).parents[2]

ABOUT = {"cpu": "A machine", "cores": 2}


def test_the_picture_has_a_row_per_cell_and_leaves_out_what_a_cell_has_not(tmp_path: Path) -> None:
    rows = [
        ("job", "connector", Figures(81_234.5, 10.0, 0.8, 200.0, fill=987.0)),
        ("job", "plain <Faust>", Figures(2_900.0, 300.0, 0.8, 100.0)),
        ("load", "1 %", Figures(500.0, 20.0, 0.8, 90.0, fill=1.0, to_result=(60.0, 65.0, 90.0))),
    ]
    write_plot(tmp_path / "bench.svg", ABOUT, rows)
    text = (tmp_path / "bench.svg").read_text()
    for words in (
        "A machine, 2 cores",
        "job: connector",
        "plain &lt;Faust&gt;",
        ">81,234<",
        ">987<",
        "p50",
        ">60 / 65 / 90<",
    ):
        assert words in text, words


@pytest.mark.parametrize("latency", [0.0, 0.05, 0.2, 1.0])
@pytest.mark.parametrize("campaigns", [1, 15, 300, 10_000])
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_no_cell_of_the_matrix_has_empty_requests_because_its_topic_is(
    kind: str, campaigns: int, latency: float
) -> None:
    (cell,) = [it for it in SECTIONS["matrix"] if (it.kind, it.campaigns, it.latency) == (kind, campaigns, latency)]
    assert cell.messages / campaigns >= min(KINDS[kind][1], 30)
    requests = cell.messages / min(KINDS[kind][1], cell.messages / campaigns)
    assert latency * requests / cell.concurrency < LIMIT_SECONDS / 1.5, "it ends within the limit of a cell"


def test_a_peer_gets_the_configuration_of_its_kind_of_requests_and_a_window_for_its_campaigns() -> None:
    peer = Peer(Path("bento"), ROOT / "bench" / "peers" / "bento.yaml")
    seen = {}
    for cell in work_of_a_peer():
        (_, _, config), env = peer.command(cell)
        assert Path(config).exists()
        seen[cell.name.split(",")[0]] = (Path(config).name, env["BENCH_WINDOW"])
    assert seen["15 keys"] == ("bento.yaml", "14000")
    assert seen["300 keys"] == seen["10"] == ("bento.yaml", "120000")
    assert seen["unbatched"] == ("bento-unbatched.yaml", "4000")


def test_an_unbatched_message_is_compared_with_two_workers_and_with_aiohttp_alone() -> None:
    work = {cell.name: [(name, it.who, it.workers) for name, it in systems(cell)] for cell in work_of_a_peer()}
    assert work["15 keys, 0 ms"] == [("connector", "connector", 1), ("peer", "peer", 1)]
    assert work["unbatched, 0 ms"][2:] == [("two workers", "connector", 2), ("bare session.post", "bare_post", 1)]


def test_the_median_of_rounds_adds_up_what_was_missing() -> None:
    rounds = [Figures(rate, 10.0, 1.0, 100.0, missing=missing) for rate, missing in ((3.0, 0), (1.0, 5), (2.0, 1))]
    middle = median(rounds)
    assert (middle.rate, middle.missing, middle.start) == (2.0, 6, None)


def test_the_light_provider_counts_what_it_takes_and_what_it_had_before(tmp_path: Path) -> None:
    process = ConnectorProcess(tmp_path / "provider.out", "0.01", "10", module="bench.provider")
    try:
        process.wait_for("}\n")
        url = orjson.loads(process.output)["url"]

        def post(*uids: str) -> dict[str, Any]:
            body = orjson.dumps({"msgs": [{"uid": uid} for uid in uids]})
            with urlopen(Request(url, body, method="POST"), timeout=10) as reply:
                answer: dict[str, Any] = orjson.loads(reply.read())
            return answer

        assert post("m1", "m2")["results"][1] == {"uid": "m2", "id": "im2", "status": "queued"}
        assert post("m2")["results"] == [{"uid": "m2", "id": "im2", "status": "queued"}]
        with urlopen(url, timeout=10) as reply:
            counts = orjson.loads(reply.read())
    finally:
        process.kill()
    assert counts == {"requests": 2, "messages": 3, "again": 1, "most_at_once": 1}


def started(seconds: float, megabytes: float, **more: float) -> suppressions.Started:
    figures = {"cpu": 1.0, "peak": megabytes, "told": 5, **more}
    return suppressions.Started(seconds, megabytes=megabytes, **figures)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("nothing", "restored", "exceeded"),
    [
        (started(40.0, 180.0), started(2.5, 180.0), []),
        (started(61.0, 180.0), started(2.5, 180.0), ["ready from nothing"]),
        (started(40.0, 190.0), started(2.5, 180.0), ["memory, read from nothing"]),
        (started(40.0, 180.0), started(3.2, 180.0), ["ready from the snapshot, later than without the list"]),
    ],
)
def test_what_the_list_costs_is_what_a_worker_with_it_has_more_than_one_without(
    nothing: suppressions.Started, restored: suppressions.Started, exceeded: list[str]
) -> None:
    found = suppressions.figures(suppressions.NUMBERS, started(1.0, 85.0), nothing, restored)
    assert [it.what for it in found if it.exceeded] == exceeded
    assert len(suppressions.rows(found)) == len(found)


def sample(at: float, **changed: float) -> Sample:
    steady = {
        "rate": 1000,
        "lag": 50,
        "open": 40,
        "rss": 100.0,
        "files": 60,
        "cpu": 0.5,
        "collections": 1,
        "machine": 2.0,
    }
    return Sample(at=at, **{**steady, **changed})  # type: ignore[arg-type]


def test_a_steady_run_holds_and_its_warming_up_is_not_judged() -> None:
    warming = [sample(float(at), rss=50.0 + at / 2) for at in range(100)]
    steady = [sample(float(at)) for at in range(100, 200)]
    assert all(it.holds for it in verdicts(warming + steady, 1000))


@pytest.mark.parametrize(
    ("grown", "name"),
    [
        ({"rss": 0.06}, "resident memory, MB"),
        ({"lag": 11}, "lag, events"),
        ({"open": 11}, "open messages"),
        ({"files": 0.1}, "open files"),
    ],
)
def test_what_grows_in_the_second_half_is_named(grown: dict[str, float], name: str) -> None:
    """Per second, over a hundred seconds at 1,000 events a second: a little more than what is allowed."""
    (what, step), base = next(iter(grown.items())), sample(0.0)
    samples = [sample(float(at), **{what: getattr(base, what) + step * at}) for at in range(201)]
    assert [it.name for it in verdicts(samples, 1000) if not it.holds] == [name]
    falling = [sample(float(at), **{what: 5000 - step * at}) for at in range(201)]
    assert all(it.holds for it in verdicts(falling, 1000))


def test_a_run_too_short_to_judge_says_so() -> None:
    with pytest.raises(ValueError, match="run for longer"):
        verdicts([sample(float(at)) for at in range(10)], 1000)


def test_a_busy_machine_is_said() -> None:
    assert remark([sample(float(at)) for at in range(20)], cores=2) == ""
    assert "load 9.0 on 2 cores" in remark([sample(float(at), machine=9.0) for at in range(20)], cores=2)


@given(st.floats(-50, 50), st.floats(-1000, 1000), st.sets(st.integers(0, 39), max_size=8), st.floats(1e3, 1e6))
def test_the_slope_is_that_of_most_points_whatever_the_others_are(
    true: float, base: float, peaks: set[int], height: float
) -> None:
    """Up to a fifth of them: then most pairs are of good points, and the median is one of theirs."""
    points = [(float(at), base + true * at + (height if at in peaks else 0.0)) for at in range(40)]
    assert slope(points) == pytest.approx(true, abs=1e-6)
