"""Signatures, against AWS's published example and botocore's own signing."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from connector.definition.tree import SigV4
from connector.errors import DefinitionError, RequestError
from connector.model import Request
from connector.request import sigv4
from connector.request.sigv4 import sign

KEYS = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")


def test_the_signature_is_that_of_awss_published_example():
    # docs.aws.amazon.com, "Signature Version 4 signing process", GET ListUsers of IAM.
    request = Request(
        "GET",
        "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08",
        (("Content-Type", "application/x-www-form-urlencoded; charset=utf-8"),),
    )
    now = datetime(2015, 8, 30, 12, 36, tzinfo=UTC).timestamp()

    signed = sign(request, SigV4("iam", "us-east-1"), now, KEYS)

    (_, date), (_, authorization) = signed.headers[1:]
    assert date == "20150830T123600Z"
    assert authorization == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request,"
        " SignedHeaders=content-type;host;x-amz-date,"
        " Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
    )


def test_body_query_and_session_token_are_signed_as_botocore_signs_them(monkeypatch):
    now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: now)
    keys = Credentials("AKID", "secret", "token==")
    url = "https://pinpoint.eu-west-1.amazonaws.com/v1/apps/a%20b/messages?z=1&a=%C3%A9"
    expected = AWSRequest("POST", url, {"Content-Type": "application/json"}, b'{"a":1}')
    SigV4Auth(keys, "mobiletargeting", "eu-west-1").add_auth(expected)

    request = Request("POST", url, (("Content-Type", "application/json"),), b'{"a":1}')
    signed = sign(request, SigV4("mobiletargeting", "eu-west-1"), now.timestamp(), keys)

    assert dict(signed.headers) == dict(expected.headers.items())
    assert (signed.url, signed.body) == (url, b'{"a":1}')


def test_no_credentials_is_a_certain_failure(monkeypatch):
    class Nothing:
        def get_credentials(self):
            return None

    monkeypatch.setattr(sigv4, "_session", Nothing)

    with pytest.raises(RequestError, match="no AWS credentials") as raised:
        sign(Request("POST", "https://x.amazonaws.com/"), SigV4("s", "r"), 0.0)
    assert not raised.value.uncertain


def test_without_botocore_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "botocore", None)
    monkeypatch.setattr(sigv4, "find_spec", lambda name: None)

    with pytest.raises(DefinitionError, match=r"pip install 'kafka-sms-connector\[aws\]'"):
        sign(Request("POST", "https://x.amazonaws.com/"), SigV4("s", "r"), 0.0, KEYS)
