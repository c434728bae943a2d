"""Events for the demo: made up, the same ones every time, several campaigns, texts in several scripts."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from connector.errors import UsageError
from connector.tools.simulator.fake import Magic

REFUSED_SHARE = 1000
"""One of so many messages goes to a number the fakes refuse, so that not every result says the same."""

NAMES = ["Asha", "Ravi", "Zoë", "José", "Łukasz", "सुनीता", "முருகன்", "محمد", "王芳", "Søren"]


@dataclass(frozen=True, slots=True)
class SampleCampaign:
    """Messages that share values. `body` for providers that take text, `template` for those that take an id."""

    id: str
    provider: str
    header: str
    template: str
    body: str
    weight: int


CAMPAIGNS = [
    SampleCampaign("diwali-offer", "demo-batch", "SHOPIN", "1107160000000000101", "", 28),
    SampleCampaign("order-shipped", "demo-batch", "SHOPIN", "1107160000000000102", "", 24),
    SampleCampaign("cart-reminder", "demo-batch", "SHOPIN", "1107160000000000103", "", 16),
    SampleCampaign("payment-due", "demo-batch", "BANKIN", "1107160000000000104", "", 22),
    SampleCampaign("login-code", "demo-single", "BANKIN", "1107160000000000201", "", 5),
    SampleCampaign(
        "delivery-slot",
        "demo-pairs",
        "",
        "",
        "Hi {name}, your parcel comes today at {hour}:00 📦 Reply STOP to end.",
        3,
    ),
    SampleCampaign("नमस्ते", "demo-pairs", "", "", "नमस्ते {name}, आपका ऑर्डर {hour}:00 बजे तक पहुँच जाएगा।", 2),
]


@dataclass(frozen=True, slots=True)
class Made:
    """An event ready to produce. `message_id` and `to` are None where a user's line cannot be read."""

    value: bytes
    message_id: str | None
    to: str | None


def generate(count: int, seed: int = 1) -> Iterator[Made]:
    """`count` events for the demo's three definitions; every phone number is used once."""
    dice = random.Random(seed)  # noqa: S311  sample data
    weights = [campaign.weight for campaign in CAMPAIGNS]
    for n in range(count):
        [campaign] = dice.choices(CAMPAIGNS, weights)
        to = _refused_phone(n) if n % REFUSED_SHARE == REFUSED_SHARE - 1 else _phone(n)
        yield _event(n, to, campaign, dice)


def read(file: Path, limit: int | None = None) -> list[Made]:
    """The lines of a JSONL file, each an event as it is; raises UsageError."""
    try:
        lines = [line for line in file.read_bytes().splitlines() if line.strip()]
    except OSError as error:
        raise UsageError(f"--events {file}: {error.strerror}; name a readable file, one JSON event per line") from error
    if not lines:
        raise UsageError(f"--events {file}: no events in it; write one JSON object per line")
    return [_read_line(line) for line in lines[:limit]]


def _phone(n: int) -> str:
    # Never ends like a magic number: the last six digits are at least 100000.
    return f"+919{n // 800_000:03d}{100_000 + n % 800_000:06d}"


def _refused_phone(n: int) -> str:
    return f"+91{6000 + n // REFUSED_SHARE % 1000:04d}{Magic.INVALID}" if n < 1_000_000 else _phone(n)


def _event(n: int, to: str, campaign: SampleCampaign, dice: random.Random) -> Made:
    name, hour, message_id = dice.choice(NAMES), dice.randrange(9, 21), f"demo-{n:07d}"
    event: dict[str, Any] = {
        "message_id": message_id,
        "provider": campaign.provider,
        "campaign_id": campaign.id,
        "to": to,
    }
    if campaign.body:
        event["body"] = campaign.body.format(name=name, hour=hour)
    else:
        event["template_id"] = campaign.template
        event["template_variables"] = {"name": name, "amount": f"₹{dice.randrange(99, 9999)}", "hour": hour}
        event["custom"] = {"hid": campaign.header, "uid": message_id}
    return Made(orjson.dumps(event), message_id, to)


def _read_line(line: bytes) -> Made:
    try:
        event = orjson.loads(line)
    except ValueError:
        return Made(line, None, None)
    fields = event if isinstance(event, dict) else {}
    message_id, to = fields.get("message_id"), fields.get("to")
    return Made(line, message_id if isinstance(message_id, str) else None, to if isinstance(to, str) else None)
