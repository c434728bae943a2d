"""What every test may use: brokers (tests/kafka/fixtures.py) and connector processes (tests/processes.py)."""

import signal

from hypothesis import settings

from tests.thorough import examples

# No assertion on time: a busy machine is no fault of the code.
settings.register_profile("ours", deadline=None, max_examples=examples(100))
settings.load_profile("ours")

# A shell starts what it runs in the background with SIGINT ignored, and children inherit that: those that a test
# interrupts would go on.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = ["tests.kafka.fixtures", "tests.marked", "tests.processes", "tests.prometheus.fixtures"]
