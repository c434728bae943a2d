"""Public APIs outside of the catalogue, written from their documents by somebody who knows nothing but the language.

Each needs something that others do not. Facts are from memory: what is tested is the language, not the providers.
"""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote_from_bytes

import pytest

from connector.config_text.environment import Environment
from connector.definition.load import load
from connector.model import Batch, Message, Reply, Request
from connector.request.renderer import compile_operation
from connector.response.reply_reader import compile_response
from connector.workbench.checking import check_file

FOLDER = Path(__file__).parent / "strangers"
NAMES = sorted(file.stem for file in FOLDER.glob("*.yaml"))
NOW = 1_700_000_000.0  # 2023-11-15 06:13:20 in Shanghai
PLAIN, CYRILLIC = "Hi €", "Жду"
CYRILLIC_HEX = "041604340443"


class Names(dict[str, str]):
    """Every variable is its own name in lower case."""

    def get(self, key: str, default: object = None) -> str:  # type: ignore[override]
        return key.lower()


def sent(name: str, *bodies: str) -> tuple[Request, Any]:
    """The request of messages with these texts, and a function from a reply's text to their outcomes."""
    (operation,) = load(FOLDER / f"{name}.yaml", environment=Environment(Names())).operations
    messages = [Message(f"m{n}", f"+9198123456{n:02d}", body=body) for n, body in enumerate(bodies, 1)]
    batch = Batch("0" * 32, NOW)
    rendered = compile_operation(operation).render(messages, batch)
    assert rendered.sent == list(range(len(messages))), rendered.invalid
    reader = compile_response(operation)

    def read(body: str, status: int = 200) -> list[tuple[str, str | None]]:
        found = reader.read(Reply(status, {}, body.encode()), messages, batch, NOW).outcomes
        return [(each.then, each.provider_message_id) for each in found]

    return rendered.request, read


@pytest.mark.parametrize("name", NAMES)
def test_check_finds_nothing(name: str) -> None:
    checked = check_file(str(FOLDER / f"{name}.yaml"), Environment.placeholders())
    assert checked.errors == []
    assert [each for each in checked.warnings if "unencrypted" not in str(each)] == []


def test_clickatell_takes_plain_or_hexadecimal_text() -> None:
    request, read = sent("clickatell", PLAIN, PLAIN)
    assert request.url.endswith("&to=919812345601%2C919812345602&unicode=0&text=Hi%20%E2%82%AC")
    assert read("ID: a1 To: 919812345601\nERR: 114, Cannot route message To: 919812345602\n") == [
        ("accept", "a1"),
        ("reject", None),
    ]
    assert read("ERR: 001, Authentication failed")[0][0] == "pause"
    assert sent("clickatell", CYRILLIC)[0].url.endswith(f"&unicode=1&text={CYRILLIC_HEX}")


def test_route_mobile_takes_hexadecimal_text_and_lists_codes() -> None:
    request, read = sent("routemobile", CYRILLIC, CYRILLIC)
    assert request.url.endswith(f"&message={CYRILLIC_HEX}")
    assert read("1701|919812345601:9a-b,1706|919812345602") == [("accept", "9a-b"), ("reject", None)]
    assert read("1025")[0][0] == "pause"


def test_smsbao_takes_the_digest_of_a_password() -> None:
    request, read = sent("smsbao", "x")
    assert f"&p={hashlib.md5(b'smsbao_password').hexdigest()}&" in request.url
    assert (read("0"), read("30")) == ([("accept", None)], [("pause", None)])


def test_montnets_takes_gbk_and_a_password_that_changes_every_second() -> None:
    request, read = sent("montnets", "你好", "你好")
    pwd = hashlib.md5(b"mont_user00000000mont_password1115061320").hexdigest()
    assert f'"pwd":"{pwd}","timestamp":"1115061320","mobile":"919812345601,919812345602"'.encode() in request.body
    assert f'"content":"{quote_from_bytes("你好".encode("gbk"))}"'.encode() in request.body
    assert read('{"result":0,"msgid":"5"}') == [("accept", None), ("accept", None)]
    assert read('{"result":-100001}')[0][0] == "pause"


def test_chinas_mas_takes_base64_of_a_json_that_holds_a_digest() -> None:
    request, read = sent("mas", "你好")
    assert request.headers == (("Content-Type", "text/plain; charset=utf-8"),)
    body = json.loads(base64.b64decode(request.body))
    mac = hashlib.md5("mas_namemas_usermas_secret9812345601你好mas_sign".encode()).hexdigest()
    assert (body["mobiles"], body["content"], body["mac"]) == ("9812345601", "你好", mac)
    assert read('{"success":true,"rspcod":"success","msgGroup":"0728"}') == [("accept", "0728")]


def test_speedsms_lists_only_what_it_refused() -> None:
    _, read = sent("speedsms", PLAIN, PLAIN, PLAIN)
    good = '{"status":"success","code":"00","data":{"tranId":4567,"totalSMS":%d,"invalidPhone":[%s]}}'
    assert read(good % (3, "")) == [("accept", None)] * 3
    assert read(good % (2, '"0919812345602"')) == [("unknown", None)] * 3  # another spelling: who was it?
    assert read(good % (2, '"919812345602"')) == [("accept", None), ("reject", None), ("accept", None)]
    assert read(good % (3, '"919812345602"')) == [("unknown", None), ("reject", None), ("unknown", None)]
    assert read('{"status":"error","code":"300"}')[0][0] == "pause"


def test_smsapi_counts_what_it_lists() -> None:
    _, read = sent("smsapi", PLAIN, PLAIN)
    refused = '[{"submitted_number":"919812345602"}]'
    body = f'{{"count":%d,"list":[{{"id":"1","number":"919812345601"}}],"invalid_numbers":{refused}}}'
    assert read(body % 1) == [("accept", "1"), ("reject", None)]
    assert read(body % 2) == [("unknown", None), ("reject", None)]
    assert read('{"error":101,"message":"no"}')[0][0] == "pause"


def test_altiria_repeats_a_name_and_answers_line_by_line() -> None:
    request, read = sent("altiria", PLAIN, PLAIN)
    assert b"&dest=919812345601&dest=919812345602&msg=Hi+%E2%82%AC" in request.body
    assert read("OK dest:919812345601\nERROR errNum:015 dest:919812345602\n") == [("accept", None), ("reject", None)]


def test_sns_numbers_its_lists_from_1() -> None:
    request, read = sent("sns", PLAIN)
    assert request.body.endswith(
        b"&MessageAttributes.entry.1.Name=AWS.SNS.SMS.SMSType&MessageAttributes.entry.1.Value.DataType=String"
        b"&MessageAttributes.entry.1.Value.StringValue=Transactional"
        b"&MessageAttributes.entry.2.Name=AWS.SNS.SMS.SenderID&MessageAttributes.entry.2.Value.DataType=String"
    )
    assert read("<PublishResponse><PublishResult><MessageId>56</MessageId></PublishResult></PublishResponse>") == [
        ("accept", "56")
    ]


def test_zenziva_takes_parts() -> None:
    request, read = sent("zenziva", PLAIN)
    assert request.headers[0][1].startswith("multipart/form-data; boundary=")
    assert b'name="message"\r\n\r\nHi \xe2\x82\xac\r\n' in request.body
    assert read('{"messageId":12,"status":"1","text":"Success"}') == [("accept", "12")]


def test_smsmode_takes_latin_9_and_netgsm_latin_5() -> None:
    request, read = sent("smsmode", PLAIN, PLAIN)
    assert b"&message=Hi+%A4&numero=919812345601%2C919812345602" in request.body
    assert read("0 | Accepted | xyz1")[0][0] == "accept"
    request, read = sent("netgsm", "İğş<", "İğş<")
    assert b'<company dil="TR">Netgsm</company>' in request.body
    assert "<msg>İğş&lt;</msg><no>919812345601</no><no>919812345602</no>".encode("iso-8859-9") in request.body
    assert (read("00 17377215")[0][0], read("30")[0][0]) == ("accept", "pause")


def test_gatewayapi_answers_ids_in_the_order_of_the_request() -> None:
    _, read = sent("gatewayapi", PLAIN, PLAIN)
    assert read('{"ids":[421332671,421332672]}') == [("accept", "421332671"), ("accept", "421332672")]
    assert read('{"ids":[421332671]}') == [("unknown", None), ("unknown", None)]


@pytest.mark.parametrize(
    ("name", "plain", "cyrillic"),
    [
        ("jasmin", "&coding=0&hex-content=4869201b65", f"&coding=8&hex-content={CYRILLIC_HEX}"),
        ("kannel", "&coding=0&charset=UTF-8&text=Hi%20%E2%82%AC", "&coding=2&charset=UTF-16BE&text=%04%16%044%04C"),
    ],
)
def test_gateways_are_told_how_the_text_is_written(name: str, plain: str, cyrillic: str) -> None:
    assert sent(name, PLAIN)[0].url.endswith(plain)
    assert sent(name, CYRILLIC)[0].url.endswith(cyrillic)


def test_sms_ru_takes_and_answers_maps_by_number() -> None:
    request, read = sent("smsru", PLAIN, CYRILLIC)
    assert b"&to%5B919812345601%5D=Hi+%E2%82%AC&to%5B919812345602%5D=%D0%96" in request.body
    refused = '"919812345602":{"status":"ERROR","status_code":202}'
    body = f'{{"status":"OK","sms":{{{refused},"919812345601":{{"status":"OK","sms_id":"7-1"}}}}}}'
    assert read(body) == [("accept", "7-1"), ("reject", None)]


def test_ids_by_their_ends_and_records_in_the_query_of_a_put() -> None:
    request, read = sent("ranged", PLAIN, PLAIN)
    assert (request.method, request.body) == ("PUT", None)
    assert request.url == "https://sms.example.com/send?to1=919812345601&to2=919812345602&text=Hi%20%E2%82%AC"
    assert read("OK 2 sent, first id A09, last id A10") == [("accept", "A09"), ("accept", "A10")]
    assert read("OK 1 sent, first id A09, last id A10") == [("unknown", None)] * 2
    assert read("OK 2 sent, first id A09, last id A11") == [("unknown", None)] * 2
