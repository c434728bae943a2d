"""Signatures of the families, against the providers' own clients, others' libraries, and published examples."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlsplit

import mohawk
import oauthlib.oauth1
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from tencentcloud.common import credential
from tencentcloud.common.sign import Sign as TencentSign
from vonage_http_client.auth import Auth as VonageAuth

from connector.config_text.environment import Environment
from connector.definition.load import load
from connector.definition.tree import SigV4
from connector.model import Request
from connector.request import sigv4

from .signing import DEFINITIONS, MESSAGE, NONCE, NOW, header, operation_of, rendered, sent, signed

SECRET = "hunter2/of+the=provider"


def query_of(request: Request) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(request.url).query, keep_blank_values=True, strict_parsing=True))


# ---- AWS ------------------------------------------------------------------------------------------------------------

AWS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": SECRET}


@pytest.mark.parametrize("token", ["", "hunter2-session=="])
def test_the_chain_of_aws_gives_what_botocore_and_the_preset_give(
    token: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = AWS | ({"AWS_SESSION_TOKEN": token} if token else {})
    operation = operation_of(DEFINITIONS["aws"], environment, tmp_path)
    request = rendered(operation)
    ours = signed(operation, request).request
    keys = Credentials("AKIDEXAMPLE", SECRET, token or None)

    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: datetime.fromtimestamp(NOW, UTC))
    expected = AWSRequest(request.method, request.url, dict(request.headers), request.body)
    SigV4Auth(keys, "sms-voice", "eu-west-1").add_auth(expected)
    assert dict(ours.headers) == dict(expected.headers.items())
    assert dict(sigv4.sign(request, SigV4("sms-voice", "eu-west-1"), NOW, keys).headers) == dict(ours.headers)


@pytest.mark.parametrize(
    "url",
    [
        "https://sms-voice.eu-west-1.amazonaws.com",
        "https://sms-voice.eu-west-1.amazonaws.com/a%20b/c?z=1&a=%C3%A9&a=&a=~-_.",
        "https://sms-voice.eu-west-1.amazonaws.com:8443/?b=2&b=1&B=3",
    ],
)
def test_paths_and_queries_are_signed_as_botocore_signs_them(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    operation = operation_of(DEFINITIONS["aws"], AWS, tmp_path)
    request = Request("POST", url, (("Content-Type", "application/json"), ("X-Many", "a   b")), b"\xff\x00 no text")
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: datetime.fromtimestamp(NOW, UTC))
    expected = AWSRequest(request.method, request.url, dict(request.headers), request.body)
    SigV4Auth(Credentials("AKIDEXAMPLE", SECRET), "sms-voice", "eu-west-1").add_auth(expected)
    ours = signed(operation, request).request
    assert header(ours, "Authorization") == expected.headers["Authorization"]


# ---- the Chinese clouds ---------------------------------------------------------------------------------------------

ALIYUN = {"ALIYUN_ACCESS_KEY_ID": "testId", "ALIYUN_ACCESS_KEY_SECRET": "testSecret"}


@pytest.mark.parametrize("written", ["on the page", "in the catalogue"])
def test_aliyuns_query_is_signed_as_in_its_documentation_of_send_sms(written: str, tmp_path: Path) -> None:
    if written == "on the page":
        operation = operation_of(DEFINITIONS["aliyun"], ALIYUN, tmp_path)
    else:
        (operation,) = load("aliyun", environment=Environment(ALIYUN)).operations
    pairs = {
        "Action": "SendSms",
        "Format": "XML",
        "OutId": "123",
        "PhoneNumbers": "15300000001",
        "RegionId": "cn-hangzhou",
        "SignName": "阿里云短信测试专用",
        "TemplateCode": "SMS_71390007",
        "TemplateParam": '{"customer":"test"}',
        "Version": "2017-05-25",
    }
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in pairs.items())
    now = datetime(2017, 7, 12, 2, 42, 19, tzinfo=UTC).timestamp()
    request = Request("GET", f"https://dysmsapi.aliyuncs.com/?{query}")
    ours = signed(operation, request, now=now, nonce="45e25e9b0a6f40708c852956eda1b466").request
    assert query_of(ours)["Signature"] == "zJDF+Lrzhj/ThnlvIToysFRq6t4="


def test_aliyuns_query_covers_the_form_as_well(tmp_path: Path) -> None:
    ours = sent("aliyun", ALIYUN, tmp_path)
    query = query_of(ours)
    signature = query.pop("Signature")
    params = {**query, **dict(parse_qsl((ours.body or b"").decode()))}
    assert params["SignName"] == "测试"
    canonical = "&".join(f"{quote(k, safe='~')}={quote(params[k], safe='~')}" for k in sorted(params))
    text = f"POST&%2F&{quote(canonical, safe='~')}"
    expected = base64.b64encode(hmac.digest(b"testSecret&", text.encode(), "sha1")).decode()
    assert signature == expected


def test_acs3_is_that_of_its_documentation(tmp_path: Path) -> None:
    environment = {"ALIYUN_ACCESS_KEY_ID": "YourAccessKeyId", "ALIYUN_ACCESS_KEY_SECRET": "YourAccessKeySecret"}
    operation = operation_of(DEFINITIONS["acs3"], environment, tmp_path)
    request = Request(
        "POST",
        "https://ecs.cn-shanghai.aliyuncs.com/?ImageId=win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd"
        "&RegionId=cn-shanghai",
        (("x-acs-action", "RunInstances"), ("x-acs-version", "2014-05-26")),
    )
    now = datetime(2023, 10, 26, 10, 22, 32, tzinfo=UTC).timestamp()
    ours = signed(operation, request, now=now, nonce="3156853299f313e23d1673dc12e1703d").request
    assert header(ours, "Authorization") == (
        "ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders=host;x-acs-action;x-acs-content-sha256;x-acs-date;"
        "x-acs-signature-nonce;x-acs-version,"
        "Signature=06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"
    )


def test_tc3_is_that_of_tencents_own_client(tmp_path: Path) -> None:
    environment = {"TENCENT_SECRET_ID": "AKID", "TENCENT_SECRET_KEY": SECRET, "TENCENT_SMS_APP": "1400006666"}
    ours = sent("tencent", environment, tmp_path)
    authorization = header(ours, "Authorization")
    # Its steps, put together by hand but for the last one, which is the client's own.
    canonical = "\n".join(
        [
            "POST\n/\n",
            "content-type:application/json\nhost:sms.tencentcloudapi.com\nx-tc-action:sendsms\n",
            "content-type;host;x-tc-action",
            hashlib.sha256(ours.body or b"").hexdigest(),
        ]
    )
    text = f"TC3-HMAC-SHA256\n{int(NOW)}\n2026-01-02/sms/tc3_request\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    expected = TencentSign.sign_tc3(credential.Credential("AKID", SECRET).secret_key, "2026-01-02", "sms", text)
    assert authorization == (
        "TC3-HMAC-SHA256 Credential=AKID/2026-01-02/sms/tc3_request, "
        f"SignedHeaders=content-type;host;x-tc-action, Signature={expected}"
    )
    assert json.loads(ours.body or b"")["PhoneNumberSet"] == ["+8613800138000"]


# ---- others ---------------------------------------------------------------------------------------------------------


def test_ovh_is_that_of_its_documentation(tmp_path: Path) -> None:
    environment = {
        "OVH_APP_KEY": "7kbG7Bk7S9Nt7ZSV",
        "OVH_APP_SECRET": "EXEgWIz07P0HYwtQDs7cNIqCiQaWSuHF",
        "OVH_CONSUMER_KEY": "MtSwSrPpNjqfVSmJhLbPyr2i45lSwPU1",
        "OVH_SERVICE": "sms-ab1-1",
    }
    operation = operation_of(DEFINITIONS["ovh"], environment, tmp_path)
    request = Request("GET", "https://eu.api.ovh.com/1.0/domains/")
    ours = signed(operation, request, now=1366560945.0).request
    assert header(ours, "X-Ovh-Signature") == "$1$d3705e8afb27a0d2970a322b96550abfc67bb798"
    assert header(ours, "X-Ovh-Timestamp") == "1366560945"


def test_ovh_is_that_of_its_own_client_over_a_body(tmp_path: Path) -> None:
    """Made once with the client `ovh` 1.2.0 from PyPI, at 1767323045; it brings more than a test should need."""
    environment = {
        "OVH_APP_KEY": "AK",
        "OVH_APP_SECRET": "SECRET",
        "OVH_CONSUMER_KEY": "CK",
        "OVH_SERVICE": "sms-xx-1",
    }
    operation = operation_of(DEFINITIONS["ovh"], environment, tmp_path)
    body = b'{"message":"Bonjour","receivers":["+33612345678"],"senderForResponse":true}'
    request = Request("POST", "https://eu.api.ovh.com/1.0/sms/sms-xx-1/jobs", (), body)
    ours = signed(operation, request, now=1767323045.0).request
    assert header(ours, "X-Ovh-Signature") == "$1$3385ce5df1c72df5e029d9db93435d2a39f6fe4f"


@pytest.mark.parametrize("method", ["md5", "sha1", "sha256", "sha512"])
def test_vonages_parameters_are_signed_as_its_own_client_signs_them(method: str, tmp_path: Path) -> None:
    text = DEFINITIONS["vonage-signed"].replace("'sha256'", f"'{method}'")
    operation = operation_of(text, {"VONAGE_SIGNATURE_SECRET": SECRET, "VONAGE_API_KEY": "abcd"}, tmp_path)
    ours = signed(operation, rendered(operation)).request
    params = dict(parse_qsl((ours.body or b"").decode()))
    signature = params.pop("sig")
    own = VonageAuth(api_key="abcd", signature_secret=SECRET, signature_method=method)
    assert signature == own.sign_params(dict(params))
    assert params["text"] == MESSAGE.body


def test_azures_header_covers_time_host_and_body(tmp_path: Path) -> None:
    key = base64.b64encode(b"hunter2 in bytes \xff\x00").decode()
    ours = sent("azure", {"AZURE_ACCESS_KEY": key}, tmp_path)
    digest = base64.b64encode(hashlib.sha256(ours.body or b"").digest()).decode()
    text = f"POST\n/sms?api-version=2021-03-07\nFri, 02 Jan 2026 03:04:05 GMT;acme.communication.azure.com;{digest}"
    expected = base64.b64encode(hmac.digest(base64.b64decode(key), text.encode(), "sha256")).decode()
    assert header(ours, "x-ms-content-sha256") == digest
    assert header(ours, "Authorization").endswith(f"&Signature={expected}")


def test_a_wsse_token_holds_the_digest_of_nonce_time_and_secret(tmp_path: Path) -> None:
    ours = sent("wsse", {"WSSE_USER": "bob", "WSSE_SECRET": SECRET}, tmp_path)
    fields = dict(re.findall(r'(\w+)="([^"]*)"', header(ours, "X-WSSE")))
    assert fields["Created"] == "2026-01-02T03:04:05Z"
    nonce = base64.b64decode(fields["Nonce"])
    digest = hashlib.sha1(nonce + fields["Created"].encode() + SECRET.encode()).digest()
    assert base64.b64decode(fields["PasswordDigest"]) == digest


def test_hawk_is_taken_by_a_receiver_of_another_library(tmp_path: Path) -> None:
    ours = sent("hawk", {"HAWK_ID": "me", "HAWK_KEY": SECRET}, tmp_path)
    mohawk.Receiver(
        lambda _: {"id": "me", "key": SECRET, "algorithm": "sha256"},
        header(ours, "Authorization"),
        ours.url,
        ours.method,
        content=ours.body,
        content_type="application/json",
        timestamp_skew_in_seconds=10**10,
    )


def test_bytes_of_a_digest_inside_longer_text_are_signed_as_in_krakens_documentation(tmp_path: Path) -> None:
    text = """
method: POST
url: https://api.kraken.com/
auth:
  sign:
    values:
      inner: "$${fields()|get('nonce')}$${body()}"
      text: "$${path()}$${inner|sha256|raw}"
    headers: {API-Sign: "$${text|hmac(${SECRET}|unbase64, 'sha512')|base64}"}
parameters: {pairs: {to: $$To, text: $$Body}}
"""
    key = "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg=="
    operation = operation_of(text, {"SECRET": key}, tmp_path)
    body = b"nonce=1616492376594&ordertype=limit&pair=XBTUSD&price=37500&type=buy&volume=1.25"
    ours = signed(operation, Request("POST", "https://api.kraken.com/0/private/AddOrder", (), body)).request
    assert header(ours, "API-Sign") == (
        "4/dpxb3iT4tp/ZCVEwSnEsLxx0bqyhLpdfOpc6fn7OR8+UClSV5n9E6aSS8MPtnRfp32bAb0nmbRn6H8ndwLUQ=="
    )


def test_a_mac_token_is_that_of_the_draft(tmp_path: Path) -> None:
    """draft-ietf-oauth-v2-http-mac-01, 1.1."""
    text = """
method: POST
url: https://example.com/
auth:
  sign:
    values:
      key: "${MAC_KEY}"
      text: |
        264095:$${nonce()|truncate(8)}
        $${method()}
        $${target()}
        $${hostname()}
        $${port()}

        $${ext}
      ext: a,b,c
    headers: {Authorization: 'MAC mac="$${text|hmac(key, ''sha1'')|base64}"'}
parameters: {pairs: {to: $$To, text: $$Body}}
"""
    operation = operation_of(text, {"MAC_KEY": "489dks293j39"}, tmp_path)
    request = Request("POST", "http://example.com/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b&c2&a3=2+q")
    ours = signed(operation, request, nonce="7d8f3e4a" + "0" * 24).request
    expected = hmac.digest(
        b"489dks293j39",
        b"264095:7d8f3e4a\nPOST\n/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b&c2&a3=2+q\nexample.com\n80\n\na,b,c\n",
        "sha1",
    )
    assert header(ours, "Authorization") == f'MAC mac="{base64.b64encode(expected).decode()}"'


def test_oauth_1_is_that_of_another_library(tmp_path: Path) -> None:
    environment = {
        "OAUTH_CONSUMER_KEY": "key&1",
        "OAUTH_CONSUMER_SECRET": SECRET,
        "OAUTH_TOKEN": "tok/en",
        "OAUTH_TOKEN_SECRET": "hunter2 & more",
    }
    ours = sent("oauth1", environment, tmp_path)
    client = oauthlib.oauth1.Client(
        "key&1",
        client_secret=SECRET,
        resource_owner_key="tok/en",
        resource_owner_secret="hunter2 & more",
        nonce=NONCE,
        timestamp=str(int(NOW)),
    )
    content_type = {"Content-Type": "application/x-www-form-urlencoded"}
    _, expected, _ = client.sign(ours.url, "POST", (ours.body or b"").decode(), content_type)
    fields = dict(re.findall(r'(\w+)="([^"]*)"', header(ours, "Authorization")))
    assert fields == dict(re.findall(r'(\w+)="([^"]*)"', expected["Authorization"]))


def test_a_pair_of_fields_stands_in_the_json_of_the_body(tmp_path: Path) -> None:
    ours = sent("pair", {"SMS_USER": "J10003", "SMS_PASSWORD": "hunter2-1111"}, tmp_path)
    body = json.loads(ours.body or b"")
    assert body == {
        "mobile": "8613800138000",
        "content": MESSAGE.body,
        "userid": "J10003",
        "pwd": hashlib.md5(b"J10003hunter2-1111" + b"0102110405").hexdigest(),
        "timestamp": "0102110405",  # in Shanghai
    }


# Made once with huaweicloudsdkcore 3.1.219 and volcengine 1.0.229, which need too much else to be installed for tests.
VECTORS: Mapping[str, tuple[Mapping[str, str], Request, str]] = {
    "huawei": (
        {"HUAWEI_ACCESS_KEY": "AKID", "HUAWEI_SECRET_KEY": SECRET},
        Request(
            "POST",
            "https://smsapi.example.com/v2/a%20b/sms?z=1&a=%C3%A9%20~&B=x%2Fy",
            (("Content-Type", "application/json"),),
            b'{"to":"+8613800138000"}',
        ),
        (
            "SDK-HMAC-SHA256 Access=AKID, SignedHeaders=content-type;host;x-sdk-date, "
            "Signature=7d979cbd8fc27a3cf50f2490efc8a205ba6fd96eda1d6d5ac64c8e29d6b475c4"
        ),
    ),
    "volcengine": (
        {"VOLC_ACCESS_KEY": "AKID", "VOLC_SECRET_KEY": SECRET, "VOLC_ACCOUNT": "a"},
        Request(
            "POST",
            "https://sms.volcengineapi.com/?Action=SendSms&Version=2020-01-01&x=%C3%A9%20~%2F",
            (("Content-Type", "application/json"),),
            b'{"PhoneNumbers":"+8613800138000"}',
        ),
        (
            "HMAC-SHA256 Credential=AKID/20260102/cn-north-1/volcSMS/request, "
            "SignedHeaders=content-type;host;x-content-sha256;x-date, "
            "Signature=a645dca2f319d34f569051586aceab752460c53f45c0f0d40a957e237919e6a5"
        ),
    ),
}


@pytest.mark.parametrize("name", VECTORS)
def test_what_other_clients_made_once_is_made_here(name: str, tmp_path: Path) -> None:
    environment, request, expected = VECTORS[name]
    operation = operation_of(DEFINITIONS[name], environment, tmp_path)
    assert header(signed(operation, request).request, "Authorization") == expected


def test_every_family_of_the_page_is_compared_with_something() -> None:
    source = Path(__file__).read_text("utf-8")
    for name in DEFINITIONS:
        if name not in ("login", "session"):
            assert f'"{name}"' in source, name
