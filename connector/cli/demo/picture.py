"""`demo --plot`: throughput, fill and latency over time."""

from __future__ import annotations

from pathlib import Path

from connector.cli.demo.timeline import Timeline
from connector.cli.plot import COLOURS, panels, thousands

SIZE = (8.0, 6.2)


def draw(file: Path, timeline: Timeline) -> None:
    """Write the picture; the providers have the same colour in every panel."""
    slices = timeline.slices()
    at = [piece.at for piece in slices]
    providers = sorted({provider for piece in slices for provider in piece.rates})
    colours = {provider: COLOURS[number % len(COLOURS)] for number, provider in enumerate(providers)}
    title = f"{timeline.count:,} messages, from Kafka to the providers and back"
    with panels(file, title, rows=3, size=SIZE) as (rates, fills, latency):
        rates.set_title("Throughput: messages/s")
        series = [[piece.rates.get(provider, 0.0) for piece in slices] for provider in providers]
        rates.stackplot(at, *series, labels=providers, colors=list(colours.values()), alpha=0.9)
        fills.set_title("Fill: messages per request")
        fills.set_yscale("log")
        fills.set_ylim(0.7, 1.6 * max((fill for piece in slices for fill in piece.fills.values()), default=1.0))
        latency.set_title("Latency: milliseconds from event read to outcome; line: half, shade: 99 %")
        for provider, colour in colours.items():
            points = [(piece.at, piece.fills[provider]) for piece in slices if provider in piece.fills]
            fills.plot(*zip(*points, strict=True), color=colour, marker=".", markersize=4)
            spans = [(piece.at, *piece.latencies[provider]) for piece in slices if provider in piece.latencies]
            times = [at for at, _, _ in spans]
            half, most = [1000 * it for _, it, _ in spans], [1000 * it for _, _, it in spans]
            latency.plot(times, half, color=colour)
            latency.fill_between(times, half, most, color=colour, alpha=0.15, linewidth=0)
        latency.set_xlabel("seconds")
        latency.set_xlim(left=0, right=slices[-1].at)
        for axes in (rates, fills, latency):
            axes.yaxis.set_major_formatter(thousands)
        for axes in (rates, latency):
            axes.set_ylim(bottom=0)
        # Beside the title, where no curve can be.
        rates.legend(loc="lower right", bbox_to_anchor=(1.0, 0.98), ncols=max(len(providers), 1), borderaxespad=0.0)
