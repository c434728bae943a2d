"""All providers of the catalogue at once on a real Kafka: every result is what the simulator decided."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import orjson
import pytest

from connector.definition.tree import Constant, Login
from connector.tools.simulator.echo import ENCODINGS
from connector.tools.simulator.fake import Magic
from tests import marked
from tests.integration.pipeline import Pipeline
from tests.kafka.ports import free_ports
from tests.providers.rows import ROWS
from tests.providers.shipped import DEMO, NAMES, shipped

pytestmark = pytest.mark.kafka

EVENTS = 20_000
FAILING = 20  # one event in so many: 5 %

INVALID, BLOCKED, PERMANENT = Magic.INVALID, Magic.BLOCKED, Magic.PERMANENT
TEMPORARY, SILENT = Magic.TEMPORARY, Magic.SILENT

# What each provider says of a single message, also in a batch. Left out: what it says of whole requests (credit, hours,
# throttling: tests/providers), and what it does not tell of one message (MSG91 and Nimbus: there events lack
# what a request needs).
# "Not now" is said in the first half only: where nothing gets through after its last repetition, such a message waits
# for minutes to see whether that is an outage (tests/delivery/test_outage.py). Its repetitions take most of a second,
# in which a worker sends the last tenth.
ASKED: dict[str, tuple[Magic, ...]] = {
    "aliyun": (INVALID, BLOCKED, PERMANENT),
    "aws-eum": (INVALID, BLOCKED, PERMANENT, TEMPORARY),
    "aws-pinpoint": (INVALID, BLOCKED, PERMANENT, TEMPORARY, SILENT),
    "bulksms": (BLOCKED, PERMANENT, SILENT),
    "exotel": (INVALID, BLOCKED),
    "infobip": (INVALID, BLOCKED, PERMANENT, SILENT),
    "jasmin": (INVALID,),
    "kannel": (INVALID, BLOCKED, PERMANENT),
    "msg91": (),
    "nimbus": (),
    "nimbus-biz": (),
    "ovh": (INVALID, SILENT),
    "plivo": (INVALID,),
    "skebby": (INVALID,),
    "smsindiahub": (SILENT,),
    "smsindiahub-legacy": (SILENT,),
    "speedsms": (INVALID,),
    "tencent": (INVALID, BLOCKED, PERMANENT, SILENT),
    "textlocal": (INVALID, BLOCKED, PERMANENT, SILENT),
    "twilio": (INVALID, BLOCKED, PERMANENT, TEMPORARY),
    "vonage": (INVALID, BLOCKED, PERMANENT, TEMPORARY),
}


def define_all(pipeline: Pipeline) -> None:
    """A definition for each provider that extends the catalogue's of the same name: another address, and no waiting."""
    for name in NAMES:
        mine: dict[str, Any] = {
            "extends": name,
            "http": {"private_hosts": True},
            "limits": {"requests": None},
            "retry": {"base": "100ms", "cap": "200ms"},
        }
        addresses: dict[str, str] = {}
        for operation in shipped(name).operations:
            assert isinstance(operation.url, Constant)
            addresses[operation.name] = f"{pipeline.address}/{name}{urlsplit(str(operation.url.value)).path}"
        if len(addresses) == 1:
            (way,) = shipped(name).operations
            mine["url"] = next(iter(addresses.values()))
            if isinstance(way.auth, Login):
                login = way.auth.requests[0].url
                assert isinstance(login, Constant)
                address = f"{pipeline.address}/{name}{urlsplit(str(login.value)).path}"
                mine["auth"] = {"login": {"request": {"url": address}}}
        else:
            mine["operations"] = [{"name": each, "url": address} for each, address in addresses.items()]
        (pipeline.folder / "definitions" / f"{name}.yaml").write_bytes(orjson.dumps(mine))


def variables(provider: str, value: str) -> list[str] | dict[str, str]:
    """Those of a template, as the provider has them: in order, or by name."""
    return [value] if ROWS[provider].numbered else {"name": value}


def events() -> Iterator[dict[str, Any]]:
    """Every number is another one, so that a request's records can be told apart by nothing else."""
    failed = 0
    for number in range(EVENTS):
        name = NAMES[number % len(NAMES)]
        campaign = number // len(NAMES) % 3
        event: dict[str, Any] = {
            "message_id": f"m{number}",
            "provider": name,
            "campaign_id": f"c{campaign}",
            "to": f"+919{number // 900_000:03d}{100_000 + number % 900_000:06d}",
            "body": f"नमस्ते {campaign}" if ROWS[name].one_text else f"Hello {number}",
            "template_id": "t1",
            "template_variables": variables(name, f"N{campaign}" if ROWS[name].one_text else f"N{number}"),
            "custom": {"sender": "ACMEIN", "entity": "1101"},
        }
        if number // len(NAMES) % FAILING == 0:
            asked = ASKED[name]
            if number > EVENTS / 2:
                asked = tuple(magic for magic in asked if magic is not TEMPORARY)
            if asked:
                event["to"] = f"+919{failed % 1000:03d}{asked[failed // len(NAMES) % len(asked)]}"
            elif ROWS[name].template:
                del event["template_id"]
            else:
                del event["custom"]
            failed += 1
        yield event


@dataclass
class Decision:
    """What the simulator wrote down about one message: the ids of the times it took it, the codes of its refusals."""

    ids: list[str] = field(default_factory=list)
    refused: int = 0


def decisions(pipeline: Pipeline) -> dict[tuple[str, str], Decision]:
    """By provider and the last ten digits of the number."""
    found: dict[tuple[str, str], Decision] = defaultdict(Decision)
    for request in pipeline.requests():
        for record in request["taken"]:
            found[request["provider"], record["to"][-10:]].ids.append(str(record["id"]))
        for record in request["refused"]:
            found[request["provider"], record["to"][-10:]].refused += 1
    return found


def expected(event: dict[str, Any], decision: Decision | None) -> set[str]:
    """The statuses a result may have, given what the simulator decided."""
    if decision is None:
        return {"invalid"}
    if decision.ids:
        return {"unknown"} if event["to"].endswith(SILENT) else {"accepted"}
    return {"failed"} if event["to"].endswith(TEMPORARY) else {"rejected"}


@pytest.mark.timeout(180)
def test_every_result_is_what_the_provider_decided(pipeline: Pipeline) -> None:
    """Twenty-one lanes share the partitions; 5 % of the messages fail in the ways their provider knows."""
    pipeline.simulate()
    define_all(pipeline)
    pipeline.configure()
    pipeline.create_topics()
    sent = {event["message_id"]: event for event in events()}
    pipeline.produce(sent.values())
    worker = pipeline.worker(**DEMO)
    pipeline.wait_for_results(EVENTS)
    assert worker.stop() == 0, worker.output
    results = pipeline.read_results()
    assert len(results) == EVENTS
    decided = decisions(pipeline)
    wrong: list[object] = []
    seen: dict[str, set[str]] = defaultdict(set)
    for result in results:
        event = sent.pop(result["message_id"])
        name = event["provider"]
        decision = decided.get((name, event["to"][-10:]))
        seen[name].add(result["status"])
        if result["provider"] != name or result["status"] not in expected(event, decision):
            wrong.append((event, decision, result))
        elif result["status"] == "accepted":
            assert decision is not None
            field_name = "provider_message_id" if ROWS[name].ids else "provider_batch_id"
            # Plivo's and OVH's ids name nobody in a batch; Kannel gives none.
            known = name in {"plivo", "ovh"} or not ROWS[name].named or result.get(field_name) == decision.ids[0]
            if len(decision.ids) != 1 or not known:
                wrong.append((event, decision, result))
    assert wrong == [], f"{len(wrong)} wrong"
    assert sent == {}
    assert all("accepted" in seen[name] and len(seen[name]) > 1 for name in NAMES), seen
    failing = sum(result["status"] != "accepted" for result in results)
    assert failing == pytest.approx(EVENTS / FAILING, rel=0.02)
    full = {request["provider"] for request in pipeline.requests() if request["count"] >= 50}
    assert full == {name for name in NAMES if ROWS[name].batched}


def words(result: dict[str, Any]) -> list[str]:
    """What a provider said, as it stands in a result."""
    return [result[name] for name in ("code", "reason") if name in result]


@pytest.mark.timeout(180)
def test_nothing_of_a_request_is_shown_when_every_provider_echoes_it(pipeline: Pipeline) -> None:
    """In results, dead letters' headers, logs and on /status; each provider writes its echo in another encoding."""
    pipeline.simulate()
    define_all(pipeline)
    (port,) = free_ports(1)
    pipeline.configure(health={"port": port})
    pipeline.create_topics()
    for name, encoding in zip(NAMES, ENCODINGS, strict=False):
        pipeline.turn(name, echo=encoding)
    number, sent = 0, []
    for name in NAMES:
        # Kannel's words are read to their end: with an echo behind them a 403 is one of no rule, and pauses.
        passed = (TEMPORARY, PERMANENT) if name == "kannel" else (TEMPORARY,)
        for magic in (None, *(it for it in ASKED[name] if it not in passed)):
            number += 1
            sent.append(
                {
                    "message_id": f"m{number}",
                    "provider": name,
                    "campaign_id": "c1",
                    "to": f"+9198{number:08d}" if magic is None else f"+9198{number:02d}{magic}",
                    "body": f"483920 is your code, {marked.TEXT}",
                    "template_id": "t1",
                    "template_variables": variables(name, f"Krishnamurthy {marked.TEXT}"),
                    "custom": {"sender": "ACMEIN", "entity": "1101"},
                }
            )
    pipeline.produce(sent)
    worker = pipeline.worker(**DEMO)
    pipeline.wait_for_results(len(sent))
    with urlopen(f"http://127.0.0.1:{port}/status", timeout=10) as response:
        marked.page(response.read().decode())
    assert worker.stop() == 0, worker.output
    results = pipeline.read_results()
    assert len(results) == len(sent)
    said = [each for result in results for each in words(result)]
    assert sum("**" in each for each in said) >= len(NAMES) // 2, "echoes were hardly used: this shows nothing"
    assert [each for each in said if "483920" in each or "rishnamurth" in each.lower()] == []
