"""The faults, one function each: what is done to a scene; the audit and its limits are the same for all.

The first line of a docstring is the fault as the tables show it. A function returns when the fault is over; the runner
then lets the workers finish, stops them and compares.
"""

from tests.crash.scenarios import (
    brokers,
    deeds,
    kills,
    lookups,
    membership,
    offsets,
    opt_outs,
    outages,
    poison,
    providers,
    reading,
    receipts,
    refused,
    registry,
    repeats,
    replies,
    retries,
    stops,
    suppressions,
    unanswered,
)
from tests.crash.scenarios.table import SCENARIOS, Scenario

__all__ = [
    "SCENARIOS",
    "Scenario",
    "brokers",
    "deeds",
    "kills",
    "lookups",
    "membership",
    "offsets",
    "opt_outs",
    "outages",
    "poison",
    "providers",
    "reading",
    "receipts",
    "refused",
    "registry",
    "repeats",
    "replies",
    "retries",
    "stops",
    "suppressions",
    "unanswered",
]
