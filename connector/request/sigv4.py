"""AWS Signature Version 4 by botocore's signer, an extra of this package: `pip install 'kafka-sms-connector[aws]'`.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from importlib.util import find_spec
from typing import Any

from connector.definition.tree import SigV4
from connector.errors import DefinitionError, Phase, Problem, RequestError
from connector.model import Request

TOKEN_HEADER = "X-Amz-Security-Token"  # noqa: S105  a name


def require(file: str = "") -> None:
    """Raise DefinitionError, naming `file` and the extra, where botocore is not installed."""
    if find_spec("botocore") is None:
        remedy = "pip install 'kafka-sms-connector[aws]', or build the image with --build-arg LOCK=full"
        raise DefinitionError([Problem("signing requests for AWS needs botocore", remedy, file, "auth.sigv4")])


def sign(request: Request, auth: SigV4, now: float, credentials: Any = None) -> Request:
    """`request` with the headers of a signature over it; `now` in seconds since the epoch.

    `credentials` are botocore's; without them they are found as botocore finds them (environment, profile, container,
    instance), which may block for seconds: call it in a thread. Raises RequestError (never uncertain) where there are
    none, DefinitionError where botocore is not installed.
    """
    require()
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest

    frozen = _frozen(credentials)
    signed = AWSRequest(method=request.method, url=request.url, data=request.body or b"", headers=dict(request.headers))
    timestamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    signed.context["timestamp"] = timestamp
    ours = [("X-Amz-Date", timestamp)]
    if frozen.token:
        ours.append((TOKEN_HEADER, frozen.token))
    for name, value in ours:
        signed.headers[name] = value
    # `add_auth` would do these steps with a clock of its own, and logs what it signs.
    signer = SigV4Auth(frozen, auth.service, auth.region)
    text = signer.string_to_sign(signed, signer.canonical_request(signed))
    names = signer.signed_headers(signer.headers_to_sign(signed))
    value = f"AWS4-HMAC-SHA256 Credential={signer.scope(signed)}, SignedHeaders={names}, Signature="
    authorization = ("Authorization", value + signer.signature(text, signed))
    return Request(request.method, request.url, (*request.headers, *ours, authorization), request.body)


def session_token(signed: Request) -> tuple[str, ...]:
    """The session token of a signed request, where its credentials have one: nobody may see it."""
    return tuple(value for name, value in signed.headers if name == TOKEN_HEADER)


def _frozen(credentials: Any) -> Any:
    """One consistent set of key, secret and token; refreshed by botocore where they expire."""
    from botocore.exceptions import BotoCoreError

    try:
        found = credentials or _session().get_credentials()
        if found is None:
            raise RequestError(Phase.AUTH, "no AWS credentials: set AWS_ACCESS_KEY_ID, or a role", uncertain=False)
        return found.get_frozen_credentials()
    except BotoCoreError as error:
        reason = f"the AWS credentials cannot be used: {type(error).__name__}"
        raise RequestError(Phase.AUTH, reason, uncertain=False) from error


@cache
def _session() -> Any:
    from botocore.session import Session

    return Session()
