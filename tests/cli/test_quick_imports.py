"""What a worker imports before it does anything, counted in modules and collections, not in time."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from typing import Any

import pytest

from connector.cli.quick_imports import quick_imports

WORKER = """
import gc, json, sys
collections = []
gc.callbacks.append(lambda phase, about: collections.append(about["generation"]) if phase == "start" else None)
from connector.cli.main import group
from connector.cli.quick_imports import quick_imports
import click
run = group.get_command(click.Context(group), "run")
before = len(collections)
with quick_imports():
    import connector.cli.definitions, connector.health.server, connector.stream.process
import structlog.dev
print(json.dumps({
    "modules": sorted(sys.modules), "collections": len(collections) - before, "enabled": gc.isenabled(),
    "rich": structlog.dev.rich is not None,
}))
"""


@pytest.fixture(scope="module")
def worker() -> Any:
    done = subprocess.run([sys.executable, "-c", WORKER], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize("package", ["rich", "pygments", "matplotlib", "confluent_kafka", "tabulate", "yappi"])
def test_a_worker_imports_nothing_that_only_people_look_at(worker: Any, package: str) -> None:
    assert [it for it in worker["modules"] if it.partition(".")[0] == package] == []


def test_structlog_takes_it_that_there_is_no_rich(worker: Any) -> None:
    """structlog/dev.py looks for it when it is imported, and only then."""
    assert not worker["rich"]


def test_nothing_is_collected_while_a_worker_imports(worker: Any) -> None:
    """It would be more than a hundred times; once may be as soon as the collector may work again."""
    assert worker["collections"] <= 1
    assert worker["enabled"]


def test_the_parent_of_several_workers_imports_nothing_of_what_they_run() -> None:
    """They start only after it has imported: Faust, four hundred modules, was half of that."""
    code = "import connector.cli.run, connector.cli.definitions, connector.cli.workers, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"faust", "mode", "connector.delivery.lane", "connector.stream.process"} & set(done.stdout.split()) == set()


def test_commands_that_show_something_have_rich_all_the_same() -> None:
    code = "from connector.cli.main import main; main(['providers', 'list'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, "plivo" in done.stdout) == (0, True), done.stderr


def test_the_collector_is_left_as_it_was() -> None:
    gc.disable()
    try:
        with quick_imports():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
    with pytest.raises(ImportError), quick_imports():
        raise ImportError
    assert gc.isenabled()
