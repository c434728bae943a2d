"""What every test may use: brokers (tests/kafka/fixtures.py) and connector processes (tests/processes.py)."""

import signal

from hypothesis import settings

# No assertion on time: a busy machine is no fault of the code.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")

# A shell starts what it runs in the background with SIGINT ignored, and children inherit that: those that a test
# interrupts would go on.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = ["tests.kafka.fixtures", "tests.marked", "tests.processes"]
