"""What is measured, and what was seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.integration.pipeline import BATCHED

# The same text to many numbers: one form, numbers joined. {0}: name, {1}: the simulator's address.
SAME_TEXT = """\
name: {name}
method: POST
url: {simulator}/pairs/send
parameters: {{pairs: {{to: "$${{To|digits}}", text: "$$TemplateID $$CampaignID"}}}}
batching: {{key: to, records: {records}}}
response:
  rules: [{{status: 200, when: "status == 'ok'", then: entries}}]
  entries: [{{each: messages, match: {{"To|digits": to}}, id: id, rules: [{{when: id, then: accept}}]}}]
limits: {{concurrency: {concurrency}}}
http: {{private_hosts: true}}
{more}
"""

# Body, records per request.
KINDS = {"batched": (BATCHED, 1000), "unbatched": (BATCHED, 1), "same text": (SAME_TEXT, 100)}


@dataclass(frozen=True)
class Cell:
    """What is measured.

    Attributes:
        name: unique in a run.
        messages: in the topic before the workers start; or, with a `rate`, produced while they run.
        campaigns: interleaved, round robin.
        latency: of the provider, seconds.
        kind: of the definition.
        rate: messages per second produced while it runs; None for a backlog.
        who: `connector`, `peer`, or the script of this folder that is measured instead.
        light: the provider is the one of this folder, which costs little, and each result is read. Otherwise it is the
            simulator, and its log is read.
        pinned: each worker's threads stay on one core, where the system can say so; others may run there too.
        more: further lines of the definition.
        settings: of the connector, over the defaults.
        transactions: events per transaction of their producer; 0 for a producer without.
    """

    name: str
    messages: int = 200_000
    campaigns: int = 15
    latency: float = 0.0
    kind: str = "batched"
    concurrency: int = 24
    partitions: int = 12
    providers: int = 1
    workers: int = 1
    rate: float | None = None
    who: str = "connector"
    light: bool = False
    pinned: bool = False
    more: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    transactions: int = 0


@dataclass(frozen=True)
class Figures:
    """What was seen. None where it does not apply.

    Attributes:
        rate: results per second.
        cpu: microseconds of CPU per message, of all workers together.
        calibration: microseconds of CPU of decoding one event meanwhile, the median.
        rss: MB, the largest of the workers.
        fill: messages per request, without the last request of each campaign.
        to_send, to_result: milliseconds from the event's timestamp to the request's arrival and to the result: p50,
            p95, p99. Only with a rate: in a backlog it is the age of the backlog.
        start: seconds from the start of the process to the first result, by the broker's clock.
        whole: results per second from the start of the process to the last result.
        whole_cpu: CPU as above, from the start of the process on.
        missing: events without a result when nothing came any more. A peer's: ours would be a failure of the bench.
    """

    rate: float
    cpu: float
    calibration: float
    rss: float
    fill: float | None = None
    to_send: tuple[float, float, float] | None = None
    to_result: tuple[float, float, float] | None = None
    start: float | None = None
    whole: float | None = None
    whole_cpu: float | None = None
    missing: int | None = None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)
