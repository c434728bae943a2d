"""AWS Signature Version 4, checked: the signature is made again from what arrived, with botocore's own signer."""

from __future__ import annotations

import calendar
import hashlib
import hmac
import re
import time

from connector.tools.simulator.call import Call

AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/(?P<day>\d{8})/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request, ?"
    r"SignedHeaders=(?P<signed>[^,]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)
TIME = "%Y%m%dT%H%M%SZ"
SKEW_SECONDS = 300.0
REQUIRED = {"host", "x-amz-date"}


class SignatureError(Exception):
    """The request is not signed as it must be. `kind` is the name AWS gives the fault."""

    def __init__(self, kind: str, text: str) -> None:
        self.kind = kind
        super().__init__(text)


def verify(call: Call, *, service: str, key: str, secret: str, now: float) -> None:
    """Raises SignatureError unless `call` was signed for `service` with these credentials, not long ago."""
    try:
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials
    except ImportError as error:
        text = "the simulator checks signatures with botocore: pip install 'kafka-sms-connector[aws]'"
        raise SignatureError("InternalFailure", text) from error
    found = AUTHORIZATION.fullmatch(call.headers.get("Authorization", ""))
    if found is None:
        raise SignatureError("MissingAuthenticationTokenException", "Missing Authentication Token")
    _check_scope(found, service, key)
    date = call.headers.get("X-Amz-Date", "")
    signed = set(found["signed"].split(";"))
    if not signed >= REQUIRED or not date.startswith(found["day"]):
        raise SignatureError("IncompleteSignatureException", "host and x-amz-date must be signed")
    if abs(calendar.timegm(time.strptime(date, TIME)) - now) > SKEW_SECONDS:
        raise SignatureError("InvalidSignatureException", f"Signature expired: {date} is too far from the current time")
    content = call.headers.get("X-Amz-Content-SHA256")
    if content is not None and content != hashlib.sha256(call.body).hexdigest():
        raise SignatureError("InvalidSignatureException", "x-amz-content-sha256 is not the body's")
    request = AWSRequest(
        method=call.method,
        url=call.url,
        headers={name: value for name, value in call.headers.items() if name.lower() in signed},
        data=call.body,
    )
    request.context["timestamp"] = date
    signer = SigV4Auth(Credentials(key, secret), service, found["region"])
    expected = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    if not hmac.compare_digest(expected, found["signature"]):
        text = "The request signature we calculated does not match the signature you provided."
        raise SignatureError("InvalidSignatureException", text)


def _check_scope(found: re.Match[str], service: str, key: str) -> None:
    if found["service"] != service:
        raise SignatureError(
            "InvalidSignatureException", f"Credential should be scoped to correct service: '{service}'."
        )
    if found["key"] != key:
        raise SignatureError("UnrecognizedClientException", "The security token included in the request is invalid.")
