"""What operators change while thousands of messages wait: campaigns, providers, definitions, on a real Kafka."""

from __future__ import annotations

import re
import shlex
import signal
from collections import Counter

import pytest
from click.testing import CliRunner

from connector.cli.main import group
from tests.integration.pipeline import Pipeline, event
from tests.integration.small import (
    LIMIT_SECONDS,
    SCALE,
    SECONDS,
    configure,
    mixed,
    two_providers,
)
from tests.tooling.pages import ROOT, blocks, lines
from tests.waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(LIMIT_SECONDS)]


def test_pause_cancel_and_resume(pipeline: Pipeline):
    """(8) Thousands wait. Paused: no more leaves, nor after a restart. Cancelled: each has a result. Resumed: all."""
    pipeline.simulate("json.latency=1")
    pipeline.define(records=50, concurrency=2)
    configure(pipeline)
    pipeline.produce(event(n, campaign="abc"[n % 3]) for n in range(6_000 * SCALE))
    worker = pipeline.worker()
    pipeline.wait_for_results(200)
    pipeline.command("campaign", "pause", "a")
    pipeline.command("campaign", "cancel", "b")
    worker.wait_for('"state": "cancelled"')
    # Two requests may have been under way.
    sent = of_campaign(pipeline, "a")
    pipeline.turn()
    wait_until(
        lambda: results_of(pipeline, "b") + results_of(pipeline, "c") == 4_000 * SCALE, "b and c", within=SECONDS
    )
    assert of_campaign(pipeline, "a") - sent <= 100
    sent = of_campaign(pipeline, "a")
    assert worker.stop() == 0, worker.output
    again = pipeline.worker("w1")
    again.wait_for("partitions opened")
    pipeline.produce(event(n, campaign="c") for n in range(6_000 * SCALE, 6_200 * SCALE))
    wait_until(lambda: results_of(pipeline, "c") == 2_200 * SCALE, "those that came later", within=SECONDS)
    assert of_campaign(pipeline, "a") == sent
    pipeline.command("campaign", "resume", "a")
    pipeline.wait_for_results(6_200 * SCALE, within=SECONDS)
    assert again.stop() == 0, again.output
    audit = pipeline.audit()
    assert (audit.lost, audit.duplicated, audit.sent_again) == (0, 0, 0)
    by_campaign = Counter((it["campaign_id"], it["status"]) for it in pipeline.read_results())
    assert by_campaign["a", "accepted"] == 2_000 * SCALE
    assert by_campaign["c", "accepted"] == 2_200 * SCALE
    assert by_campaign["b", "cancelled"] > 1_000 * SCALE
    assert by_campaign["b", "cancelled"] + by_campaign["b", "accepted"] == 2_000 * SCALE


def of_campaign(pipeline: Pipeline, campaign: str) -> int:
    """Messages of a campaign that the provider took."""
    return sum(len(it["taken"]) for it in pipeline.requests() if it["values"].get("cid") == campaign)


def results_of(pipeline: Pipeline, campaign: str) -> int:
    return sum(it["campaign_id"] == campaign for it in pipeline.read_results())


def test_a_paused_provider_waits_and_goes_on(pipeline: Pipeline):
    """`provider pause` and `resume`: nothing leaves in between, the other provider's messages do."""
    log, _ = two_providers(pipeline)
    configure(pipeline)
    pipeline.command("provider", "pause", "sick")
    assert "known: healthy, sick" in pipeline.command("provider", "pause", "sikc", code=2)
    pipeline.produce(mixed(4_200, 200))
    worker = pipeline.worker()
    pipeline.wait_for_results(200)
    assert pipeline.requests(log) == []
    assert '{"provider":"sick","state":"paused"}' in pipeline.command("provider", "list", "--json")
    pipeline.command("provider", "resume", "sick")
    pipeline.wait_for_results(4_200)
    assert worker.stop() == 0, worker.output
    audit = pipeline.audit(log)
    assert (audit.lost, audit.duplicated, audit.sent_again) == (0, 0, 0)


def test_a_campaign_supplies_what_events_leave_out(pipeline: Pipeline):
    """Provider, template and values; events that came before their campaign wait for it, also in another worker."""
    pipeline.simulate()
    pipeline.define()
    configure(pipeline, unknown_grace="60s")  # the commands take as long as they take
    bare = {"provider": None, "template_id": None, "custom": None}
    events = [{**event(n, campaign="diwali"), **bare, "custom": {"uid": f"m{n}"}} for n in range(40)]
    pipeline.produce(events)
    worker = pipeline.worker()
    worker.wait_for("partitions opened")
    file = pipeline.folder / "diwali.json"
    file.write_text('{"provider": "batched"}')
    missing = pipeline.command("campaign", "put", "diwali", str(file), code=78)
    assert "missing: TemplateID" in missing
    assert "missing: hid" in missing
    file.write_text('{"provider": "batched", "template_id": "t9", "custom": {"hid": "77"}}')
    pipeline.command("campaign", "put", "diwali", str(file))
    pipeline.wait_for_results(40)
    assert worker.stop() == 0, worker.output
    assert pipeline.audit().statuses == {"accepted": 40}
    assert {(it["values"]["hid"], it["values"]["tid"]) for it in pipeline.requests()} == {("77", "t9")}
    assert '"template_id": "t9"' in pipeline.command("campaign", "get", "diwali")


def test_a_definition_that_changes_takes_its_waiting_messages_along(pipeline: Pipeline):
    """A wrong edit is told about and not used; a right one holds for every request from then on; none is lost."""
    pipeline.simulate("json.latency=0.3")
    pipeline.define(records=20, concurrency=1)
    configure(pipeline)
    pipeline.produce(event(n) for n in range(2_000))
    worker = pipeline.worker()
    pipeline.wait_for_results(40)
    file = pipeline.folder / "definitions" / "batched.yaml"
    text = file.read_text()
    file.write_text(text.replace("method: POST", "methud: POST"))
    worker.wait_for("definitions not reloaded")
    assert "did you mean" in worker.output
    text = text.replace('"type": "template"', '"type": "v2"').replace("records: 20", "records: 500")
    file.write_text(text)
    worker.wait_for("definitions reloaded")
    worker.send(signal.SIGHUP)
    wait_until(lambda: worker.output.count("definitions reloaded") == 2, "what SIGHUP asks for")
    pipeline.wait_for_results(2_000)
    assert worker.stop() == 0, worker.output
    kinds = [request["values"]["type"] for request in pipeline.requests()]
    assert kinds == sorted(kinds), "first the old definition's requests, then the new one's"
    assert max(pipeline.audit().fills) > 100
    audit = pipeline.audit()
    assert (audit.lost, audit.duplicated, audit.sent_again) == (0, 0, 0)


def test_a_retry_topic_that_nobody_would_read_stops_the_start(pipeline: Pipeline):
    """Taken out of the configuration while it holds messages: exit code 78, its name, its records and the remedy."""
    pipeline.simulate("json.down=true")
    pipeline.define()
    configure(pipeline)
    pipeline.command("campaign", "pause", "c0", "--new")
    pipeline.produce(event(n) for n in range(10))
    worker = pipeline.worker()
    wait_until(lambda: pipeline.count(f"{pipeline.unique}.retry.2s") >= 10, "messages in the second tier")
    worker.kill()
    text = pipeline.config.read_text()
    pipeline.config.write_text(text.replace('["1s","2s"]', '["1s"]'))
    refused = pipeline.worker("w1")
    assert refused.wait() == 78, refused.output
    assert f"{pipeline.unique}.retry.2s" in refused.output
    assert "topics.retry_tiers" in refused.output


def test_the_commands_of_the_page_do_what_it_says(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch):
    """docs/lanes.md, in its order: every command is taken, and what is shown is what was set."""
    page = ROOT / "docs" / "lanes.md"
    configure(pipeline)
    for block in blocks(page):
        if block.word == "diwali.json":
            (pipeline.folder / block.word).write_text(block.text)
        elif block.language == "yaml" and block.word != "connector.yaml":
            (pipeline.folder / "definitions" / block.word).write_text(block.text)
    monkeypatch.chdir(pipeline.folder)
    ran = [line for block in blocks(page) if block.language == "sh" for line in lines(block)]
    printed = {}
    for line in ran:
        done = CliRunner().invoke(group, [*shlex.split(line)[1:], "--config", str(pipeline.config)])
        assert done.exit_code == 0, (line, done.output)
        printed[line] = done.output
    assert "Happy Diwali!" in printed["sms-connector campaign get diwali"]
    assert re.search(r"^acme +paused$", printed["sms-connector provider list"], re.MULTILINE)
    assert len(printed) == 10
