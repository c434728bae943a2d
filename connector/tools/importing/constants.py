"""What of a sample request stays as it is, and why that may be wrong: a constant is sent with every message."""

from __future__ import annotations

import json
import re
from typing import Final

from connector.tools.importing.leaves import Leaf, dotted
from connector.tools.importing.literal import plain_name

SHOWN: Final = 40  # characters of a value that a note repeats

_SIGNED: Final = re.compile(r"sign|signature|sig|xsignature|.*signature|digest|checksum|hmac|mac|authsign|apisign|hash")
_TIME: Final = re.compile(
    r"timestamp|.*timestamp|ts|t|tstamp|unixtime|xdate|xamzdate|xsdkdate|created|requesttime|reqtime|currenttime|epoch"
)
_DATE: Final = re.compile(r"date|time|datetime")
_SCHEDULE: Final = re.compile(
    r"(schedule|sched|send|sending|delivery|deliver|start|sch).*(time|date|at|on)|schtime|scheduled?|sendat|expiry|validuntil"
)
_ONCE: Final = re.compile(r"nonce|.*nonce|random|rand|salt")
_IDENTITY: Final = re.compile(
    r"(x)?(client|cust|customer|custom|user|external|ext|our|own|message|msg|sms|request|req|transaction|trans|txn|trx|correlation"
    r"|idempotency|dedup|deduplication|batch|job|order){0,3}(ref|reference|referenceid|refid|refno|id|key|uuid|guid|token|mid)"
    r"|correlator|uuid|guid|mid|crqid"
)
_REQUEST: Final = re.compile(r"x?(idempotency|dedup|deduplication|request|correlation|transaction)(id|key|token)")
_CODE_NAME: Final = re.compile(r"otp|.*otp|code|pin|passcode|variablesvalues?|values?|params?|var[0-9]*|vars|variables")
_code = re.compile(r"[0-9]{4,8}").fullmatch
_unix = re.compile(r"1[5-9][0-9]{8}(?:[0-9]{3})?").fullmatch
_moment = re.compile(r"(19|20)[0-9]{2}-?[01][0-9]-?[0-3][0-9](?:[T ]?[0-2][0-9]:?[0-5][0-9].*)?").fullmatch
_digest = re.compile(
    r"[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64}|[0-9a-f]{128}|[A-Za-z0-9+/]{27}=|[A-Za-z0-9+/]{43}="
).fullmatch
_described = re.compile(
    r"\b(or|either|optional|e\.g|yes/no|true/false)\b|^\w+ ?\(.+\)|^\w+(?: ?[|/] ?\w+){1,5}$", re.IGNORECASE
).search
_signed_header = re.compile(
    r"\bSignature=|\bsign(ature)?\s*=|^(HMAC|MAC|Hawk|AWS4|TC3|ACS3|SDK|WSSE)[- A-Z0-9]", re.IGNORECASE
).search

_SIGN: Final = "a constant cannot work: `auth: {sign: …}` makes it anew for each request"


def signed(name: str, text: str) -> bool:
    """Whether this is a signature: it is different for each request, so it is no secret to be kept."""
    plain = plain_name(name)
    if plain in ("authorization", "xwsse") or "auth" in plain:
        return _signed_header(text) is not None
    return _SIGNED.fullmatch(plain) is not None and (len(text) >= 16 or plain.endswith(("sign", "signature")))


def for_once(name: str, text: str) -> bool:
    """Whether this belongs to one request, so that it is no secret to be kept, whatever its name and look."""
    return signed(name, text) or _REQUEST.fullmatch(plain_name(name)) is not None


def names_a_time(name: str) -> bool:
    """Whether what stands there is a time, however much it looks like a phone number."""
    plain = plain_name(name)
    return any(each.fullmatch(plain) for each in (_TIME, _DATE, _SCHEDULE))


def doubt(leaf: Leaf) -> str | None:
    """Why this constant may be wrong; None where it may well be one."""
    name, text = plain_name(leaf.name), leaf.text
    if signed(leaf.name, text):
        return f"a signature: {_SIGN}"
    if _ONCE.fullmatch(name):
        return f"a nonce: {_SIGN}"
    if _SCHEDULE.fullmatch(name) and (_moment(text) or _unix(text)):
        return "a time: every message would be sent at it, or refused; leave it out, or write $$send_at"
    if (_TIME.fullmatch(name) and (_unix(text) or _moment(text))) or (_DATE.fullmatch(name) and _moment(text)):
        remedy = "`auth: {sign: …}` where it is signed, else $${now()} or $${now()|date('iso')}"
        return f"a time stamp: a constant cannot work: {remedy}"
    own_id = _IDENTITY.fullmatch(name) and re.search("[0-9]", text) and leaf.path[0] != "headers"
    if own_id or _REQUEST.fullmatch(name):
        return "an id of this one request: a constant one may suppress every later message; write $$MessageID"
    if _CODE_NAME.fullmatch(name) and _code(text):
        return "looks like the sample's one-time code: every message would have it; $$code brings the event's own"
    if _digest(text) and leaf.path[0] != "headers":
        return f"looks like a digest; if it is a signature, {_SIGN}"
    if leaf.path[0] != "headers" and len(text) <= 80 and _described(text):
        return "looks like a description of what may stand there; write one of the values"
    return None


def shown(leaf: Leaf) -> str:
    """`parameters.json.type: OTP`, for the list of what is kept."""
    text = json.dumps(leaf.value) if isinstance(leaf.value, bool) else leaf.text
    text = text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
    return f"{dotted(leaf.path)}: {text}"
