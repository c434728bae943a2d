"""`sms-connector` with a fault in it: dies at a chosen point, has its commits refused, or breaks a rule on purpose.

    python -m tests.crash.launch [--die-at POINT:N] [--refuse-commits] [--refuse-reads] [--hold-results N]
                                 [--measure-replies FILE] [--begin-with FILE] [--clock ahead|jumps]
                                 [--mutate NAME] [--marks FILE] run --config …

The product has no fail points. They are put into the seams between its parts from here, before it starts: a *point*
ends the process with SIGKILL when it is reached for the N-th time and writes the moment to FILE; a *mutation* breaks
one rule the guarantees rest on, to show that the audit notices.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from tests.crash.clocks import CLOCKS, set_clock
from tests.crash.mutations import MUTATIONS
from tests.crash.points import POINTS
from tests.crash.readings import measure_replies
from tests.crash.refusals import hold_results, refuse_commits, refuse_reads
from tests.crash.seams import Fuse
from tests.waiting import POLL_SECONDS


def parse_fuse(text: str) -> tuple[str, int]:
    """`after-send:3` as a point and a count; without a count, 1."""
    point, _, count = text.partition(":")
    if point not in POINTS:
        raise argparse.ArgumentTypeError(f"no point {point!r}; there are {', '.join(POINTS)}")
    if count and not (count.isdecimal() and int(count) > 0):
        raise argparse.ArgumentTypeError(f"{count!r} is no count; write {point}:1 or more")
    return point, int(count or 1)


def main(argv: list[str]) -> None:
    """Put the faults in, then run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash.launch")
    parser.add_argument("--die-at", type=parse_fuse, action="append", default=[], metavar="POINT:N")
    parser.add_argument("--refuse-commits", action="store_true")
    parser.add_argument("--refuse-reads", action="store_true")
    parser.add_argument("--hold-results", type=int, metavar="N")
    parser.add_argument("--measure-replies", type=Path, metavar="FILE")
    parser.add_argument("--begin-with", type=Path, metavar="FILE", help="wait, ready to begin, until it is there")
    parser.add_argument("--clock", choices=CLOCKS)
    parser.add_argument("--mutate", choices=MUTATIONS, action="append", default=[])
    parser.add_argument("--marks", type=Path)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args(argv)
    for name in options.mutate:
        MUTATIONS[name]()
    if options.clock is not None:
        set_clock(options.clock)
    if options.refuse_commits:
        refuse_commits()
    if options.refuse_reads:
        refuse_reads()
    if options.hold_results is not None:
        hold_results(options.hold_results)
    if options.measure_replies is not None:
        measure_replies(options.measure_replies)
    for point, count in options.die_at:
        POINTS[point](Fuse(point, count, options.marks))
    from connector.cli.main import main as run

    if options.begin_with is not None:
        import connector.stream.process  # noqa: F401  what takes longest to import

        while not options.begin_with.exists():
            time.sleep(POLL_SECONDS)
    run(options.command)


if __name__ == "__main__":
    main(sys.argv[1:])
