"""The console: pages and API over HTTP, in a process of its own.

It reads Kafka without a group and asks workers for `/status`; it writes what people do, and nothing else. An `Endpoint`
(`endpoints`) says who may ask it; `web_app` makes an aiohttp application of them and of the files in `static/`, behind
one `Guard`. `console_process` is the process: what it watches, and the endpoints that tell of it.
"""
