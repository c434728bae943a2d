"""Fake SMS providers on one port, and a Kafka broker to try the connector with; nothing here knows a definition.

The fakes are written from the providers' documentation only, so that a definition and its fake cannot share a mistake.
`Simulator` serves them, `Broker` runs the embedded Kafka cluster, `SeenRequests` is what an audit compares results
with.
"""

from connector.tools.simulator.broker import Broker, BrokerUnavailableError
from connector.tools.simulator.http_app import Simulator
from connector.tools.simulator.log import SeenRequests
from connector.tools.simulator.providers import PROVIDERS

__all__ = ["PROVIDERS", "Broker", "BrokerUnavailableError", "SeenRequests", "Simulator"]
