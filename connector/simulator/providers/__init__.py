"""The fakes, one module each."""

from __future__ import annotations

from connector.simulator.fake import Fake
from connector.simulator.providers.anything import Anything
from connector.simulator.providers.json_batch import JsonBatch
from connector.simulator.providers.json_single import JsonSingle
from connector.simulator.providers.pairs import Pairs
from connector.simulator.providers.text import Text

PROVIDERS: dict[str, type[Fake]] = {fake.name: fake for fake in (JsonBatch, JsonSingle, Pairs, Text, Anything)}
"""Name → fake."""
