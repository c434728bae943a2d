"""Who has installed none of the extras meets that where they are used, and not where a command is imported."""

from __future__ import annotations

import subprocess
import sys

WITHOUT = """
import importlib, pkgutil, sys
for name in ("cryptography", "rocksdict", "botocore", "opentelemetry", "confluent_kafka", "matplotlib"):
    sys.modules[name] = None
import connector
for found in pkgutil.walk_packages(connector.__path__, "connector."):
    name = found.name
    if name.endswith("__main__") or name.startswith(("connector.cli.demo", "connector.tools.simulator.broker")):
        continue
    try:
        importlib.import_module(name)
    except ImportError as error:
        print(name, error)
"""


def test_everything_but_the_demo_can_be_imported_without_them() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True)
    assert done.stdout == ""
