"""The definitions of a scenario's providers, and which fake each of them talks to.

`tokens` asks for a token and takes a message per request; `hostile` has rules that make replies dear to read; all
others take the seed's payload.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.crash.audit import NOT_NOW
from tests.crash.lookups import LOOKED_UP
from tests.crash.states import RECEIPTS

if TYPE_CHECKING:
    from tests.crash.size import Size

TOKENS, HOSTILE = "tokens", "hostile"

FAKES = {TOKENS: "single"}
"""Provider → its fake; `json` where none is named."""

COSTS = """\
    - {status: 200, text: "^(a+)+$", then: retry}
    - {status: 200, when: "results[?code == 'maintenance']", then: retry}
"""


def definition(size: Size, name: str, url: str) -> str:
    """The provider's definition, with the worker's name: the provider's log tells by it who has sent what."""
    common = f"""\
on_uncertain: {size.on_uncertain}
limits: {{concurrency: {size.slots}}}
retry: {size.retry}
http: {{private_hosts: true, total: {size.http_total:g}s}}
"""
    if size.receipts:
        common += LOOKED_UP if size.lookups else RECEIPTS
    if size.unknown_run is not None:
        common += f"unknown_run: {size.unknown_run}\n"
    return common + (_single(url) if name == TOKENS else _batched(size, url, COSTS if name == HOSTILE else ""))


def _batched(size: Size, url: str, rules: str) -> str:
    return f"""\
method: POST
url: "{url}/send"
auth: {{basic: {{username: crash, password: "${{PROVIDER_PASSWORD}}"}}}}
parameters:
  json:
    worker: "${{WORKER}}"
    hid: "$$hid"
    cid: "$$CampaignID"
    msgs:
      - {{to: "$$To", uid: "$${{message_id()}}", text: "$$Body"}}
batching: {{key: msgs, records: {size.records}}}
response:
  rules:
{rules}\
    - {{status: 200, when: "type(results) == 'array'", then: entries, id: batch}}
  entries:
    - each: results
      match: {{"message_id()": uid}}
      id: id
      code: code
      rules:
        - {{when: "status == 'queued'", then: accept}}
        - {{when: "code == '{NOT_NOW}'", then: retry}}
        - {{when: "status == 'refused'", then: reject, reason: code}}
"""


def _single(url: str) -> str:
    return f"""\
method: POST
url: "{url}/send"
auth: {{oauth2: {{url: "{url}/token", client_id: crash, secret: "${{PROVIDER_PASSWORD}}"}}}}
parameters:
  json: {{worker: "${{WORKER}}", to: "$$To", uid: "$${{message_id()}}", text: "$$Body"}}
response:
  rules:
    - {{status: 2xx, when: "status == 'queued'", then: accept, id: id}}
"""
