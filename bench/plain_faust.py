"""The job as Faust's documentation suggests it: an agent, `take(1000)`, a send per result. No guarantees of ours.

Same events, same requests, same results as the connector, started by the bench with its environment.
"""

from __future__ import annotations

import os
from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

import aiohttp
import faust

app = faust.App(
    os.environ["BENCH_GROUP"],
    broker=[f"kafka://{server}" for server in os.environ["BENCH_BROKERS"].split(",")],
    value_serializer="json",
    topic_disable_leader=True,
    topic_allow_declare=False,
    web_enabled=False,
    consumer_auto_offset_reset="earliest",
    datadir=f"/tmp/{os.environ['BENCH_GROUP']}",
)
messages = app.topic(os.environ["BENCH_SOURCE"])
results = app.topic(os.environ["BENCH_RESULTS"])


@app.agent(messages)
async def send(stream: Any) -> None:
    auth = aiohttp.BasicAuth("demo", os.environ["PROVIDER_PASSWORD"])
    async with aiohttp.ClientSession(auth=auth) as session:
        async for events in stream.take(1000, within=1.0):
            campaigns = defaultdict(list)
            for event in events:
                campaigns[event["campaign_id"]].append(event)
            for campaign, group in campaigns.items():
                await _send(session, campaign, group)


async def _send(session: aiohttp.ClientSession, campaign: str, group: list[dict[str, Any]]) -> None:
    body = {
        "hid": group[0]["custom"]["hid"],
        "tid": group[0]["template_id"],
        "cid": campaign,
        "type": "template",
        "msgs": [
            {
                "seq": number,
                "to": event["to"],
                "uid": event["custom"]["uid"],
                "variables": event["template_variables"],
                "enc": "utf8",
            }
            for number, event in enumerate(group, 1)
        ],
    }
    async with session.post(os.environ["BENCH_URL"], json=body) as reply:
        document = await reply.json()
    entries = {entry["uid"]: entry for entry in document["results"]}
    for event in group:
        entry = entries[event["custom"]["uid"]]
        await results.send(
            key=event["message_id"],
            value={
                "status": "accepted" if entry["status"] == "queued" else "rejected",
                "completed_at": datetime.now(UTC).isoformat(),
                "message_id": event["message_id"],
                "provider": event["provider"],
                "campaign_id": campaign,
                "to": event["to"],
                "provider_message_id": entry["id"],
                "provider_batch_id": document["batch"],
                "http_status": reply.status,
                "batch_size": len(group),
                "attempts": 1,
            },
        )


if __name__ == "__main__":
    app.Worker(loglevel="WARN").execute_from_commandline()
