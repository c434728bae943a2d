"""`sms-connector` whose brokers acknowledge no results any more after some batches, and everything else."""

from __future__ import annotations

import sys

from tests.crash.refusals import hold_results

BATCHES = 8

if __name__ == "__main__":
    hold_results(BATCHES)
    from connector.cli.main import main

    main(sys.argv[1:])
