"""Posts the records of sms.receipts on to a Callback URL in CleverTap's format; each at least once."""

import asyncio
import json
import os
from datetime import datetime

import aiohttp
from aiokafka import AIOKafkaConsumer

EVENTS = {"delivered": "delivered", "undelivered": "failed", "expired": "failed", "blocked": "failed"}
CODES = {"undelivered": "914", "expired": "916", "blocked": "903"}


def events(records):
    """What CleverTap is told of these receipts: what has ended; `meta` is the event's message_id."""
    told = []
    for record in (record for record in records if record["status"] in EVENTS and record.get("message_id")):
        ts = int(datetime.fromisoformat(record.get("at") or record["received_at"]).timestamp())
        words = record.get("reason") or record.get("code") or record["status"]
        code = {"code": CODES[record["status"]]} if record["status"] in CODES else {}
        data = {"ts": ts, "meta": record["message_id"], "description": words, **code}
        told.append({"event": EVENTS[record["status"]], "data": [data]})
    return told


async def main():
    topic, servers = os.environ.get("TOPIC", "sms.receipts"), os.environ["BOOTSTRAP_SERVERS"]
    kafka = AIOKafkaConsumer(topic, bootstrap_servers=servers, group_id="clevertap", enable_auto_commit=False)
    async with kafka as consumer, aiohttp.ClientSession(raise_for_status=True) as http:
        while True:
            batches = await consumer.getmany(timeout_ms=1000, max_records=100)
            records = [json.loads(record.value) for batch in batches.values() for record in batch]
            if told := events(records):
                async with http.post(os.environ["CALLBACK_URL"], json=told):
                    pass  # anything but 2xx ends this, nothing is committed, and they come again when it is restarted
            if batches:
                await consumer.commit()


if __name__ == "__main__":
    asyncio.run(main())
