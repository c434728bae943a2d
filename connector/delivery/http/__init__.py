"""Requests over HTTP with aiohttp.

`transport` is what a lane needs of it, `client` does it, `dry_run` does without. `private_networks` says where a
request may go, `login` and `oauth2` fetch tokens. `destinations` and `request_head` make what is written, `exchange`
takes a connection of aiohttp's pool and writes it, `deadlines` ends what takes too long. `connections` and
`reply_parser` read replies as providers write them, `content_coding` undoes codings within bounds, `request_errors`
tells by the error how far a request had come, `tracing` makes spans.
"""
