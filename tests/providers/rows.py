"""What each provider says about each magic number: a row per provider, written from its documentation.

A word is what the reply means for the message with the magic number; `whole` words mean it for all messages of the
request. What a fake does not know is not listed. See `connector.tools.simulator.fake.Magic`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from connector.tools.simulator.fake import Magic

INVALID, BLOCKED, THROTTLED, TEMPORARY = Magic.INVALID, Magic.BLOCKED, Magic.THROTTLED, Magic.TEMPORARY
PERMANENT, SILENT, CREDIT, HOURS = Magic.PERMANENT, Magic.SILENT, Magic.CREDIT, Magic.HOURS

Words = Mapping[Magic, str]


@dataclass(frozen=True, slots=True)
class Row:
    """One provider.

    Attributes:
        one: a message alone in its request.
        each: among good messages, which are accepted all the same.
        whole: among good messages, and the reply means it for all of them. Empty where requests have one message.
        ids: where a reply gives every message an id of its own, also in a batch.
        named: a reply has an id at all.
        one_text: messages of a batch have one text.
        short: of a reply without one of its results `one` message is unknown, or `all`; None where a reply has no
            results of single messages.
        template: it cannot be sent without a template.
        numbered: the variables of its templates have no names: events bring them as a list.
        login: requests carry what a login brings; one that is refused pauses before anything is sent.
        repeats: the provider suppresses a repeated request.
    """

    one: Words
    each: Words = field(default_factory=dict)
    whole: Words = field(default_factory=dict)
    ids: bool = True
    named: bool = True
    one_text: bool = False
    short: str | None = "one"
    template: bool = False
    numbered: bool = False
    login: bool = False
    repeats: bool = False

    @property
    def batched(self) -> bool:
        return bool(self.each or self.whole)


ROWS: dict[str, Row] = {
    "bulksms": Row(
        one={INVALID: "reject", BLOCKED: "reject", PERMANENT: "reject", SILENT: "unknown", CREDIT: "pause"},
        each={BLOCKED: "reject", PERMANENT: "reject", SILENT: "unknown"},
        whole={INVALID: "split", CREDIT: "pause"},
        repeats=True,
    ),
    "exotel": Row(
        one={
            INVALID: "reject",
            BLOCKED: "reject",
            THROTTLED: "throttle",
            TEMPORARY: "retry",
            PERMANENT: "pause",  # 403: the account is not yet KYC compliant
            CREDIT: "pause",
        },
        each={INVALID: "reject", BLOCKED: "reject", TEMPORARY: "retry", PERMANENT: "reject", SILENT: "unknown"},
        whole={THROTTLED: "throttle", CREDIT: "pause"},
    ),
    "msg91": Row(
        one={INVALID: "accept", CREDIT: "pause", HOURS: "defer"},  # a wrong number is told by a delivery report only
        each={INVALID: "accept"},
        whole={CREDIT: "pause", HOURS: "defer"},
        ids=False,
        short=None,
        template=True,
    ),
    "nimbus": Row(
        one={INVALID: "reject", CREDIT: "pause"},
        each={INVALID: "accept"},  # not told
        whole={CREDIT: "pause"},
        ids=False,
        one_text=True,
        short=None,
    ),
    "nimbus-biz": Row(
        one={INVALID: "reject", CREDIT: "pause"},
        each={INVALID: "accept"},  # not told
        whole={CREDIT: "pause"},
        ids=False,
        one_text=True,
        short=None,
    ),
    "plivo": Row(
        one={INVALID: "reject", THROTTLED: "throttle", CREDIT: "pause", SILENT: "unknown"},
        each={INVALID: "reject"},
        whole={THROTTLED: "throttle", CREDIT: "pause", SILENT: "unknown"},
        ids=False,
        one_text=True,
        short="all",
    ),
    "smsindiahub": Row(
        one={INVALID: "reject", CREDIT: "pause", TEMPORARY: "retry", PERMANENT: "reject", SILENT: "unknown"},
        each={INVALID: "unknown", SILENT: "unknown"},
        whole={CREDIT: "pause", TEMPORARY: "retry", PERMANENT: "split"},
    ),
    "smsindiahub-legacy": Row(
        one={INVALID: "reject", CREDIT: "pause", TEMPORARY: "retry", PERMANENT: "reject", SILENT: "unknown"},
        each={INVALID: "unknown", SILENT: "unknown"},
        whole={CREDIT: "pause", TEMPORARY: "retry", PERMANENT: "reject"},
        one_text=True,
    ),
    "textlocal": Row(
        one={
            INVALID: "reject",
            BLOCKED: "reject",
            PERMANENT: "reject",
            CREDIT: "pause",
            HOURS: "defer",
            SILENT: "unknown",
        },
        each={INVALID: "reject", BLOCKED: "reject", PERMANENT: "reject", SILENT: "unknown"},
        whole={CREDIT: "pause", HOURS: "defer"},
    ),
    "aws-pinpoint": Row(
        one={INVALID: "reject", THROTTLED: "throttle", SILENT: "unknown"},
        each={
            INVALID: "reject",
            BLOCKED: "reject",
            THROTTLED: "throttle",
            TEMPORARY: "retry",
            PERMANENT: "reject",
            SILENT: "unknown",
            CREDIT: "unknown",  # DUPLICATE
            HOURS: "unknown",  # UNKNOWN_FAILURE
        },
    ),
    "aws-eum": Row(
        one={
            INVALID: "reject",
            BLOCKED: "reject",
            THROTTLED: "throttle",
            TEMPORARY: "uncertain",
            PERMANENT: "reject",
            CREDIT: "pause",
        },
        short=None,
    ),
    "twilio": Row(
        one={
            INVALID: "reject",
            BLOCKED: "reject",
            THROTTLED: "throttle",
            TEMPORARY: "uncertain",
            PERMANENT: "reject",
        },
        short=None,
    ),
    "vonage": Row(
        one={
            INVALID: "reject",
            BLOCKED: "reject",
            THROTTLED: "throttle",
            TEMPORARY: "retry",
            PERMANENT: "reject",
            CREDIT: "pause",
        },
        short=None,
    ),
    "infobip": Row(
        one={INVALID: "reject", BLOCKED: "reject", TEMPORARY: "uncertain", CREDIT: "pause", SILENT: "unknown"},
        each={INVALID: "reject", BLOCKED: "reject", PERMANENT: "reject", CREDIT: "pause", SILENT: "unknown"},
        whole={THROTTLED: "throttle", TEMPORARY: "uncertain"},
    ),
    "aliyun": Row(
        one={
            INVALID: "reject",
            BLOCKED: "reject",
            THROTTLED: "throttle",
            TEMPORARY: "uncertain",
            PERMANENT: "reject",
            CREDIT: "pause",
        },
        short=None,
        template=True,
    ),
    "kannel": Row(
        one={INVALID: "reject", BLOCKED: "reject", THROTTLED: "throttle", PERMANENT: "reject"},
        ids=False,
        named=False,
        short=None,
    ),
    "tencent": Row(
        one={
            INVALID: "reject",
            BLOCKED: "reject",
            THROTTLED: "retry",  # the number had a message less than 30 seconds ago
            TEMPORARY: "uncertain",
            PERMANENT: "reject",
            SILENT: "unknown",
            CREDIT: "pause",
            HOURS: "defer",
        },
        each={
            INVALID: "reject",
            BLOCKED: "reject",
            THROTTLED: "retry",
            TEMPORARY: "uncertain",
            PERMANENT: "reject",
            SILENT: "unknown",
        },
        whole={CREDIT: "pause", HOURS: "defer"},
        one_text=True,
        template=True,
        numbered=True,
    ),
    "ovh": Row(
        one={INVALID: "reject", PERMANENT: "reject", SILENT: "unknown"},
        each={INVALID: "reject", SILENT: "unknown"},
        whole={PERMANENT: "split"},
        ids=False,
        one_text=True,
    ),
    "jasmin": Row(
        one={INVALID: "reject", THROTTLED: "throttle", TEMPORARY: "uncertain", CREDIT: "pause"},
        short=None,
    ),
    "skebby": Row(
        one={INVALID: "reject", CREDIT: "pause", SILENT: "unknown"},  # a total that is not 1
        short=None,
        login=True,
    ),
    "speedsms": Row(
        one={INVALID: "reject", TEMPORARY: "retry", PERMANENT: "reject", CREDIT: "pause"},
        each={INVALID: "reject"},
        whole={TEMPORARY: "retry", PERMANENT: "reject", CREDIT: "pause"},
        ids=False,
        one_text=True,
        short=None,  # it names only those that it refused
    ),
}
