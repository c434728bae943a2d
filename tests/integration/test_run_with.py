"""`run --with receive,receipts`: the whole way back under one parent, with one port for all."""

from __future__ import annotations

import json
import time
import urllib.request

import psutil

from connector.model import Source
from connector.receipts.tokens import Tokens
from tests.integration.pipeline import Pipeline
from tests.integration.way_back import WayBack
from tests.kafka.ports import free_ports
from tests.waiting import wait_until


def test_callbacks_become_states_beside_workers_and_one_port_answers_for_all(pipeline: Pipeline) -> None:
    port, pages = free_ports(2)
    way = WayBack(
        pipeline,
        receive={"listen": f"127.0.0.1:{port}"},
        settings={"health": {"port": pages}, "timeouts": {"session": "6s", "heartbeat": "1s"}},
    )
    parent = pipeline.run("--with", "receive,receipts")
    url = f"http://127.0.0.1:{pages}"
    wait_until(lambda: status(f"{url}/health/ready") == 200, "all of them to be ready", within=60)
    token = Tokens(["k" * 32], [pipeline.source]).message(
        "batched", Source(pipeline.source, 1, 5), "m5", "c0", time.time()
    )
    assert call(f"http://127.0.0.1:{port}/m/batched/{token}", b'{"state": "ok", "id": "p5"}') == 200
    wait_until(lambda: way.states(5) == ["delivered"], "its state")
    told = json.loads(page(f"{url}/status"))
    assert len(told["workers"]) == 1
    assert told["receive"]["definitions"] == told["receipts"]["definitions"] == ["batched"]
    metrics = page(f"{url}/metrics")
    assert 'sms_connector_receipts_total{provider="batched",status="delivered",worker="receipts"} 1.0' in metrics
    assert 'sms_connector_callbacks_total{outcome="written",provider="batched",worker="receive"} 1.0' in metrics
    children = {it.cmdline()[it.cmdline().index("--child") + 1]: it for it in psutil.Process(parent.pid).children()}
    assert set(children) == {"0", "1", "2"}
    children["2"].kill()
    wait_until(
        lambda: 'sms_connector_worker_restarts_total{worker="receipts"} 1.0' in page(f"{url}/metrics"), "it again"
    )
    wait_until(lambda: status(f"{url}/health/ready") == 200, "all of them to be ready", within=60)
    assert parent.stop() == 0, parent.output
    assert not any(it.is_running() for it in children.values())


def test_what_cannot_run_ends_all_with_78_and_another_name_with_2(pipeline: Pipeline) -> None:
    WayBack(pipeline)
    parent = pipeline.run("--with", "receipts", "--set", "receive.url=null", "--set", "receive.keys=[]")
    assert parent.wait() == 78, parent.output
    assert "receive.url" in parent.output
    refused = pipeline.run("--with", "recieve", name="refused")
    assert refused.wait() == 2, refused.output
    assert "--with recieve" in refused.output


def call(url: str, body: bytes) -> int:
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"}, method="POST")
    with urllib.request.urlopen(request, timeout=10) as response:
        return int(response.status)


def status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return int(response.status)
    except OSError as error:
        return int(getattr(error, "code", 0))


def page(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as response:
        return str(response.read().decode())
