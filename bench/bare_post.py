"""aiohttp alone: `session.post` and the reply's bytes, a request for each unbatched message. No Kafka, no results.

What an unbatched message costs a program that uses aiohttp's own session; started by the bench with its environment.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator

import aiohttp
import orjson

from bench.events import event


async def main() -> None:
    url, slots = os.environ["BENCH_URL"], int(os.environ["BENCH_SLOTS"])
    bodies = _bodies(int(os.environ["BENCH_MESSAGES"]))
    headers = {"Content-Type": "application/json"}
    connector = aiohttp.TCPConnector(limit=slots)
    auth = aiohttp.BasicAuth("demo", os.environ["PROVIDER_PASSWORD"])
    async with aiohttp.ClientSession(connector=connector, auth=auth, headers=headers) as session:

        async def slot() -> None:
            for body in bodies:  # shared: each body is posted once
                async with session.post(url, data=body) as reply:
                    await reply.read()

        await asyncio.gather(*(slot() for _ in range(slots)))


def _bodies(messages: int) -> Iterator[bytes]:
    for number in range(messages):
        values = event(number)
        record = {"seq": 1, "to": values["to"], "uid": values["custom"]["uid"], "enc": "utf8"}
        record["variables"] = values["template_variables"]
        head = {"hid": "h1", "tid": "t1", "cid": "c1", "type": "template"}
        yield orjson.dumps({**head, "msgs": [record]})


if __name__ == "__main__":
    asyncio.run(main())
