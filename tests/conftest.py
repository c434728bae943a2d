"""What every test may use: brokers (tests/kafka/fixtures.py) and connector processes (tests/processes.py)."""

from hypothesis import settings

# No assertion on time: a busy machine is no fault of the code.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")

pytest_plugins = ["tests.kafka.fixtures", "tests.marked", "tests.processes"]
