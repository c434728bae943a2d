"""What `connector/formats/avro.py` takes from inside fastavro: its reader in Python, its logical types."""

from __future__ import annotations

from io import BytesIO

import fastavro
import pytest
from fastavro import _read_py
from fastavro.read import LOGICAL_READERS

NODE = {"type": "record", "name": "Node", "fields": [{"name": "next", "type": ["null", "Node"]}]}


def test_there_is_a_reader_in_python_whose_depth_has_an_end() -> None:
    schema = fastavro.parse_schema(NODE)
    assert _read_py.schemaless_reader(BytesIO(b"\x02\0"), schema, None) == {"next": {"next": None}}
    with pytest.raises(RecursionError):
        _read_py.schemaless_reader(BytesIO(b"\x02" * 100_000), schema, None)


def test_both_readers_take_decimals_from_one_table() -> None:
    assert {"bytes-decimal", "fixed-decimal"} <= set(LOGICAL_READERS)
    assert _read_py.LOGICAL_READERS is LOGICAL_READERS
