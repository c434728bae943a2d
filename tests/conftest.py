"""What every test may use: brokers (tests/kafka/fixtures.py) and connector processes (tests/processes.py)."""

pytest_plugins = ["tests.kafka.fixtures", "tests.processes"]
