"""Knobs of a fake's receipts: `PUT /_control/NAME {"receipts": {…}}`, `--set NAME.receipts.KNOB=VALUE`."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Seconds = Annotated[float, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, le=1)]
Url = Annotated[str, Meta(pattern=r"^https?://.")]
Origin = Annotated[str, Meta(pattern=r"^https?://[^/?#]+$")]


class ReceiptKnobs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a fake reports, where to and how badly. The defaults are a well-behaved provider.

    Attributes:
        url: registered for the account; where a request names a URL of its own, that one is called.
        inbound: registered for replies; None: `url`.
        via: scheme, host and port to connect to, whatever host a URL names, as a balancer would: Host and signature
            are those of the URL. Without it, URLs of requests are called on this machine only.
        secret: what callbacks are signed with; None: the account's secret.
        delay: seconds between two things that happen to a message, from and to.
        drop: share of receipts that are never sent.
        duplicate: share that is sent once more.
        disorder: share of messages whose receipts come in reverse order.
        before_reply: share of messages whose first receipt is sent before the request is answered.
        late, late_by: share of messages whose last receipt comes so many seconds later than it happened.
        bad_signature: share of receipts that somebody else forges beside the true one, saying the opposite, with a
            wrong signature; where the provider signs nothing, to a URL that differs in its path's last character.
        split: at most so many receipts in one callback, where the provider sends lists; None: as many as it may.
        retry: what is not acknowledged is repeated as the provider documents, not at all, or after these seconds each.
        retry_scale: factor for the seconds between repeats.
        timeout: seconds to wait for an answer; None: as the provider does.
        concurrency: so many callbacks at once.
        seed: of everything that is decided by chance here.
    """

    url: Url | None = None
    inbound: Url | None = None
    via: Origin | None = None
    secret: str | None = None
    delay: tuple[Seconds, Seconds] = (0.1, 2.0)
    drop: Share = 0.0
    duplicate: Share = 0.0
    disorder: Share = 0.0
    before_reply: Share = 0.0
    late: Share = 0.0
    late_by: Seconds = 60.0
    bad_signature: Share = 0.0
    split: Annotated[int, Meta(ge=1)] | None = None
    retry: Literal["documented", "none"] | tuple[Seconds, ...] = "documented"
    retry_scale: Seconds = 1.0
    timeout: Annotated[float, Meta(gt=0)] | None = None
    concurrency: Annotated[int, Meta(ge=1)] = 10
    seed: int = 1
