"""`python -m bench`: the cost of each part, then whole pipelines on a real Kafka. `python -m bench parts`: no Kafka.

The figures of the parts are printed as one line of JSON as well, for whoever compares them.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import orjson
from rich.console import Console
from rich.table import Table

from bench import parts, pipeline
from tests.kafka import find


def main() -> int:
    """Print both tables; without a real Kafka, say why there is only one."""
    console = Console()
    with tempfile.TemporaryDirectory(prefix="sms-bench-") as name:
        folder = Path(name)
        table = Table("part", "µs per message", "at most", title="CPU, seed payload", title_justify="left")
        figures = list(parts.measure(folder))
        for figure in figures:
            over = figure.most is not None and figure.microseconds > figure.most
            most = "" if figure.most is None else f"{figure.most:g}{' exceeded' if over else ''}"
            table.add_row(figure.part, f"{figure.microseconds:.2f}", most)
        console.print(table)
        # Plain, so that it stays on one line.
        print(orjson.dumps({"µs": {figure.part: round(figure.microseconds, 3) for figure in figures}}).decode())
        if sys.argv[1:] == ["parts"]:
            return 0
        with find.find(folder / "kafka") as found:
            if not found.kafka.real:
                console.print("no real Kafka, so no pipelines: " + "; ".join(found.skipped))
                return 1
            console.print(f"Kafka: {found.kafka}")
            table = Table("one worker", "messages per second", "messages per request", title_justify="left")
            for number, case in enumerate(pipeline.CASES):
                console.print(f"running: {case.name} …")
                measured = pipeline.measure(found.kafka, folder / str(number), case)
                table.add_row(case.name, f"{measured.per_second:,.0f}", f"{measured.per_request:,.1f}")
            console.print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
