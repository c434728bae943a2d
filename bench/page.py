"""The tables of docs/performance.md, out of the figures that stand beside it.

python -m bench parts job load … --json docs/performance.json     measure some sections anew
python -m bench.page                                              write all tables between their markers
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from bench import many, side_by_side, suppressions

PAGE, FIGURES = Path("docs/performance.md"), Path("docs/performance.json")

_BLOCK = re.compile(r"(<!-- bench: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)

Cells = Sequence[Mapping[str, Any]]


def rendered(page: str, figures: Mapping[str, Any]) -> str:
    """The page with every table as the figures say. A section that was not measured says so."""
    return _BLOCK.sub(lambda found: f"{found[1]}\n{_block(found[2], figures)}\n\n{found[3]}", page)


def _block(name: str, figures: Mapping[str, Any]) -> str:
    section = figures.get(name)
    if section is None:
        return "Not measured yet."
    if name == "parts":
        table = _table(["part, warm", "µs per message"], [[part, f"{it:.2f}"] for part, it in section["µs"].items()])
    elif name == "matrix":
        table = _matrix(section["cells"])
    elif name == "peer":
        table = f"The peer is {section['peer']}.\n\n{_table(side_by_side.HEAD, side_by_side.rows(section['cells']))}"
    elif name == "many":
        table = _table(many.HEAD, [many.row(many.Change(**change)) for change in section["changes"]])
    elif name == "suppressions":
        measured = [suppressions.Measured(**figure) for figure in section["figures"]]
        table = _table(suppressions.HEAD, suppressions.rows(measured))
    elif name == "soak":
        table = _soak(section)
    else:
        table = _cells(section["cells"])
    if name == "job":
        table += f"\n\n{_goals(section['cells'])}"
    return f"{table}\n\n{_machine(section['machine'])}"


def _machine(about: Mapping[str, Any]) -> str:
    packages = ", ".join(f"{name} {version}" for name, version in about["packages"].items())
    return (
        f"*{about['at']}, commit `{about['commit']}`; {about['cores']} cores of {about['cpu']} at load "
        f"{about['load']}; Python {about['python']}, {packages}.*"
    )


def _goals(cells: Cells) -> str:
    """The goals that compare cells of one run."""
    rate = {cell["cell"]: cell["rate"] for cell in cells}
    ours, plain, copy = (rate.get(name) for name in ("connector", "plain Faust", "copy without HTTP"))
    found = []
    if ours and plain:
        found.append(f"{ours / plain:.1f} times plain Faust (goal: 25)")
    if ours and copy:
        found.append(f"{ours / copy:.2f} of the copy (goal: 0.4)")
    return f"The connector is {' and '.join(found)}." if found else ""


def _cells(cells: Cells) -> str:
    head = ["cell", "messages/s", "CPU per message, µs", "÷ unit", "RSS, MB", "fill", "to send, ms", "to result, ms"]
    rows = [
        [
            cell["cell"],
            f"{cell['rate']:,.0f}",
            f"{cell['cpu']:,.1f}",
            f"{cell['cpu'] / cell['calibration']:,.1f}",
            f"{cell['rss']:,.0f}",
            "" if cell["fill"] is None else f"{cell['fill']:,.0f}",
            _three(cell["to_send"]),
            _three(cell["to_result"]),
        ]
        for cell in cells
    ]
    kept = [index for index in range(len(head)) if any(row[index] for row in rows)]
    return _table([head[index] for index in kept], [[row[index] for index in kept] for row in rows])


def _matrix(cells: Cells) -> str:
    """Per kind and number of campaigns a row, per latency a column: messages/s · fill · RSS."""
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for cell in cells:
        kind, campaigns, latency = cell["cell"].split(", ")
        fill = "" if cell["fill"] is None else f" · {cell['fill']:,.0f}"
        rows.setdefault((kind, campaigns), {})[latency] = f"{cell['rate']:,.0f}{fill} · {cell['rss']:,.0f} MB"
    latencies = list(dict.fromkeys(latency for row in rows.values() for latency in row))
    table = _table(
        ["", *latencies],
        [[f"{kind}, {campaigns}", *(row.get(it, "") for it in latencies)] for (kind, campaigns), row in rows.items()],
    )
    return f"Messages per second · messages per request · RSS, by latency of the provider.\n\n{table}"


def _soak(it: Mapping[str, Any]) -> str:
    """What was given, and what of it stayed flat."""
    table = _table(
        ["second half", "median", "growth", "flat up to"],
        [
            [verdict["name"], *(f"{verdict[number]:,.0f}" for number in ("middle", "growth", "allowed"))]
            for verdict in it["verdicts"]
        ],
    )
    return (
        f"{it['events']:,} events in {it['seconds'] / 60:.0f} minutes, {it['rate']:,.0f} a second: "
        f"{it['rate'] / it['capacity']:.0%} of the {it['capacity']:,.0f} that were measured just before. "
        f"It {'holds' if it['holds'] else 'FAILS'}.\n\n{table}"
    )


def _three(values: Sequence[float] | None) -> str:
    return "" if values is None else " / ".join(f"{value:,.0f}" for value in values)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> int:
    """Write the page."""
    PAGE.write_text(rendered(PAGE.read_text(), orjson.loads(FIGURES.read_bytes())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
