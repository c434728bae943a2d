"""The fakes of real providers: authentication, validation, reply shapes and quirks, each as its source tells it."""

from __future__ import annotations

import base64
import xml.etree.ElementTree as ET
from typing import Any
from urllib.parse import quote, urlencode

import orjson
import pytest

from connector.clock import ManualClock
from connector.tools.simulator.call import Answer, Call
from connector.tools.simulator.fake import Fake, Magic
from connector.tools.simulator.providers import PROVIDERS

PHONE = "919810012345"
SECRET = "demo-secret"


def number(suffix: Magic) -> str:
    return f"919810{suffix}"


def make(name: str, **knobs: Any) -> Fake:
    fake = PROVIDERS[name]()
    fake.set(fake.options(**knobs))
    return fake


def basic(user: str = "demo", password: str = SECRET) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def get(fake: Fake, path: str, headers: dict[str, str] | None = None, **query: str) -> Answer:
    return fake.answer(Call("GET", path, urlencode(query), headers or {}, b""))


def form(fake: Fake, target: str, fields: dict[str, str], headers: dict[str, str] | None = None) -> Answer:
    path, _, query = target.partition("?")
    media = {"Content-Type": "application/x-www-form-urlencoded"}
    return fake.answer(Call("POST", path, query, {**media, **(headers or {})}, urlencode(fields).encode()))


def post(fake: Fake, target: str, document: Any, headers: dict[str, str] | None = None) -> Answer:
    path, _, query = target.partition("?")
    body = document if isinstance(document, bytes) else orjson.dumps(document)
    return fake.answer(Call("POST", path, query, {"Content-Type": "application/json", **(headers or {})}, body))


def read(answer: Answer) -> Any:
    return orjson.loads(answer.encode())


# ---- BulkSMS --------------------------------------------------------------------------------------------------------


def bulksms(document: Any, query: str = "", fake: Fake | None = None) -> Answer:
    return post(fake or make("bulksms"), f"/v1/messages{query}", document, basic())


def test_bulksms_answers_an_array_also_for_one_message_and_one_entry_per_recipient() -> None:
    single = bulksms({"to": f"+{PHONE}", "body": "Hello", "userSuppliedId": "u1"})
    assert single.status == 201
    [message] = read(single)
    assert (message["to"], message["status"]["type"], message["userSuppliedId"]) == (PHONE, "ACCEPTED", "u1")
    assert message["id"] == single.taken[0]["id"]
    several = bulksms([{"to": [PHONE, "919810012346"], "body": "a"}, {"to": "919810012347", "body": "b"}])
    assert [entry["to"] for entry in read(several)] == [PHONE, "919810012346", "919810012347"]
    assert [record["text"] for record in several.taken] == ["a", "a", "b"]


def test_bulksms_fills_the_fields_of_a_recipient_into_its_text() -> None:
    to = {"type": "INTERNATIONAL", "address": PHONE, "fields": ["Harry", "$1"]}
    answer = bulksms({"to": to, "body": "Hi {F0######}, pay {F1##} {F2}"})
    assert answer.taken[0]["text"] == "Hi Harry, pay $1 "


@pytest.mark.parametrize(
    "document",
    [
        b"{",
        [],
        [7],
        {"to": PHONE},
        {"to": PHONE, "body": ""},
        {"to": "12", "body": "a"},
        {"to": number(Magic.INVALID), "body": "a"},
        {"to": PHONE, "body": "a", "userSuppliedId": "x" * 21},
        {"to": PHONE, "body": "a", "encoding": "GSM"},
        [{"to": PHONE, "body": "a"}, {"to": PHONE}],
        {"to": [PHONE] * 30_001, "body": "a"},
    ],
)
def test_bulksms_refuses_a_submission_as_a_whole_with_problem_json(document: Any) -> None:
    answer = bulksms(document)
    assert (answer.status, answer.media, answer.taken) == (400, "application/problem+json", [])
    assert read(answer)["type"].startswith("https://developer.bulksms.com/json/v1/errors#")


def test_bulksms_wants_its_credentials_and_credit() -> None:
    fake = make("bulksms")
    assert post(fake, "/v1/messages", {"to": PHONE, "body": "a"}).status == 401
    assert post(fake, "/v1/messages", {"to": PHONE, "body": "a"}, basic("demo", "x")).status == 401
    broke = bulksms([{"to": number(Magic.CREDIT), "body": "a"}])
    assert (broke.status, read(broke)["title"]) == (403, "Insufficient Credits")


def test_bulksms_answers_a_repeated_submission_like_the_first_and_sends_nothing() -> None:
    clock = ManualClock()
    fake = PROVIDERS["bulksms"](clock.wall)
    first = bulksms({"to": PHONE, "body": "a"}, "?deduplication-id=-7", fake)
    again = bulksms({"to": PHONE, "body": "a"}, "?deduplication-id=-7", fake)
    assert (again.status, again.encode(), again.taken) == (201, first.encode(), [])
    clock.advance(12 * 3600 + 1)
    assert len(bulksms({"to": PHONE, "body": "a"}, "?deduplication-id=-7", fake).taken) == 1
    assert bulksms({"to": PHONE, "body": "a"}, "?deduplication-id=2147483648", fake).status == 400


def test_bulksms_also_takes_a_form_and_a_get() -> None:
    fake = make("bulksms")
    assert read(form(fake, "/v1/messages", {"to": PHONE, "body": "a"}, basic()))[0]["to"] == PHONE
    assert get(fake, "/v1/messages/send", basic(), to=PHONE, body="a").status == 201


def test_bulksms_says_failed_for_a_blocked_number() -> None:
    answer = bulksms([{"to": number(Magic.BLOCKED), "body": "a"}, {"to": PHONE, "body": "b"}])
    assert [entry["status"]["type"] for entry in read(answer)] == ["FAILED", "ACCEPTED"]
    assert [record["to"] for record in answer.taken] == [PHONE]


# ---- Exotel ---------------------------------------------------------------------------------------------------------

EXOTEL = "/v1/Accounts/demo/Sms"
EXOTEL_FORM = {"From": "HEADER", "To": f"+{PHONE}", "Body": "Hi"}


def exotel_bulk(phones: list[str], field: str = "Messages", **knobs: Any) -> Answer:
    fields = {"From": "HEADER"}
    for index, phone in enumerate(phones):
        fields |= {f"{field}[{index}][To]": phone, f"{field}[{index}][Body]": f"text {index}"}
    return form(make("exotel", **knobs), f"{EXOTEL}/bulksend.json", fields, basic())


def test_exotel_answers_json_or_xml_by_suffix_and_rewrites_the_number() -> None:
    json = read(form(make("exotel"), f"{EXOTEL}/send.json", EXOTEL_FORM, basic()))["SMSMessage"]
    assert (json["To"], json["Status"], json["DetailedStatusCode"]) == ("09810012345", "queued", 21010)
    answer = form(make("exotel"), f"{EXOTEL}/send", EXOTEL_FORM, basic())
    assert answer.media == "application/xml"
    assert ET.fromstring(answer.encode()).findtext("SMSMessage/To") == "09810012345"


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"To": ""}, 400),
        ({"Body": "x" * 2001}, 400),
        ({"EncodingType": "ucs2"}, 400),
        ({"To": number(Magic.INVALID)}, 400),
        ({"To": number(Magic.CREDIT)}, 402),
        ({"To": number(Magic.PERMANENT)}, 403),
        ({"To": number(Magic.THROTTLED)}, 429),
        ({"To": number(Magic.TEMPORARY)}, 503),
    ],
)
def test_exotel_says_errors_as_rest_exception_in_the_form_asked_for(fields: dict[str, str], status: int) -> None:
    answer = form(make("exotel"), f"{EXOTEL}/send.json", {**EXOTEL_FORM, **fields}, basic())
    assert (answer.status, read(answer)["RestException"]["Status"], answer.taken) == (status, status, [])
    xml = form(make("exotel"), f"{EXOTEL}/send", {**EXOTEL_FORM, **fields}, basic())
    assert ET.fromstring(xml.encode()).findtext("RestException/Status") == str(status)
    assert ("Retry-After" in answer.headers) == (status == 429)


def test_exotel_wants_credentials_and_its_own_account() -> None:
    assert form(make("exotel"), f"{EXOTEL}/send.json", EXOTEL_FORM).status == 401
    assert form(make("exotel"), "/v1/Accounts/other/Sms/send.json", EXOTEL_FORM, basic()).status == 404


def test_exotel_bulk_is_an_array_with_a_rest_exception_in_place() -> None:
    answer = exotel_bulk([PHONE, number(Magic.INVALID), number(Magic.BLOCKED)])
    entries = read(answer)
    assert [list(entry) for entry in entries] == [["SMSMessage"], ["RestException"], ["SMSMessage"]]
    assert entries[2]["SMSMessage"]["Status"] == "failed"
    assert [record["text"] for record in answer.taken] == ["text 0"]


def test_exotel_bulk_takes_a_hundred_and_refuses_more() -> None:
    assert len(exotel_bulk([f"9198100{n:05d}" for n in range(100, 200)]).taken) == 100
    answer = exotel_bulk([f"9198100{n:05d}" for n in range(100, 201)])
    assert (answer.status, answer.taken) == (400, [])


def test_exotel_sends_one_text_to_indexed_recipients() -> None:
    fields = {"From": "HEADER", "Body": "Hi", "To[1]": "919810012346", "To[0]": PHONE}
    answer = form(make("exotel"), f"{EXOTEL}/send.json", fields, basic())
    assert [entry["SMSMessage"]["To"] for entry in read(answer)] == ["09810012345", "09810012346"]


def test_exotel_has_knobs_where_its_documents_conflict() -> None:
    assert exotel_bulk([PHONE], "Message").status == 400
    assert exotel_bulk([PHONE], "Message", records_field="Message").status == 200
    assert set(read(exotel_bulk([PHONE], bulk_shape="SMSMessages"))) == {"SMSMessages"}
    assert read(exotel_bulk([PHONE], code_as_text=True))[0]["SMSMessage"]["DetailedStatusCode"] == "21010"


# ---- MSG91 ----------------------------------------------------------------------------------------------------------

FLOW = {"template_id": "t1", "recipients": [{"mobiles": PHONE, "VAR1": "x"}, {"mobiles": "919810012346", "VAR1": "y"}]}
AUTHKEY = {"AuthKey": SECRET}


class Headers(dict[str, str]):
    """Case-insensitive, as aiohttp hands them over."""

    def get(self, name: str, default: Any = None) -> Any:
        return next((value for key, value in self.items() if key.lower() == name.lower()), default)


@pytest.mark.parametrize("path", ["/api/v5/flow", "/api/v5/flow/"])
def test_msg91_gives_one_request_id_and_says_nothing_about_a_recipient(path: str) -> None:
    answer = make("msg91").answer(Call("POST", path, "", Headers(AUTHKEY), orjson.dumps(FLOW)))
    assert (answer.status, set(read(answer)), read(answer)["type"]) == (200, {"message", "type"}, "success")
    assert len(read(answer)["message"]) == 24
    assert [record["text"] for record in answer.taken] == [{"VAR1": "x"}, {"VAR1": "y"}]


def test_msg91_takes_the_short_form_and_the_older_name() -> None:
    document = {"flow_id": "f1", "mobiles": PHONE, "VAR1": "x"}
    assert post(make("msg91"), "/api/v5/flow", document, {"authkey": SECRET}).taken[0]["to"] == PHONE


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (b"{", "400"),
        ({"recipients": []}, "400"),
        ({"template_id": "t", "recipients": []}, "101"),
        ({"template_id": "t", "recipients": [{"VAR1": "x"}]}, "101"),
        ({"template_id": "t", "recipients": [{"mobiles": f"+{PHONE}"}]}, "202"),
        ({"template_id": "t", "recipients": [{"mobiles": number(Magic.CREDIT)}]}, "301"),
        ({"template_id": "t", "recipients": [{"mobiles": number(Magic.HOURS)}]}, "306"),
    ],
)
def test_msg91_says_errors_by_type_with_a_status_that_is_a_knob(document: Any, code: str) -> None:
    for status in (200, 400):
        answer = post(make("msg91", error_status=status), "/api/v5/flow", document, {"authkey": SECRET})
        assert (answer.status, read(answer)["type"], read(answer)["code"]) == (status, "error", code)
        assert answer.taken == []


def test_msg91_tells_a_missing_key_from_a_wrong_one() -> None:
    missing = post(make("msg91"), "/api/v5/flow", FLOW)
    assert (missing.status, read(missing)["status"], read(missing)["apiError"]) == (401, "fail", "201")
    assert read(post(make("msg91"), "/api/v5/flow", FLOW, {"authkey": "x"}))["code"] == "207"


def test_msg91_may_refuse_an_identical_request_within_seconds() -> None:
    clock = ManualClock()
    fake = PROVIDERS["msg91"](clock.wall)
    fake.set(fake.options(repeat_seconds=10))
    header = {"authkey": SECRET}
    assert read(post(fake, "/api/v5/flow", FLOW, header))["type"] == "success"
    assert read(post(fake, "/api/v5/flow", FLOW, header))["code"] == "311"
    clock.advance(11)
    assert read(post(fake, "/api/v5/flow", FLOW, header))["type"] == "success"


# ---- Nimbus ---------------------------------------------------------------------------------------------------------

NIMBUS = {
    "user": "demo",
    "authkey": SECRET,
    "sender": "HEADER",
    "mobile": PHONE,
    "text": "Hi",
    "entityid": "1",
    "templateid": "2",
    "output": "json",
}
BIZ = {
    "UserID": "demo",
    "Password": SECRET,
    "SenderID": "HEADER",
    "Phno": "9810012345",
    "Msg": "Hi",
    "EntityID": "1",
    "TemplateID": "2",
}


def test_nimbus_gives_one_id_for_all_numbers() -> None:
    answer = get(make("nimbus"), "/api/pushsms", **{**NIMBUS, "mobile": f"{PHONE},9810012346"})
    document = read(answer)
    assert (answer.status, document["STATUS"], document["RESPONSE"]["CODE"]) == (200, "OK", "100")
    assert {record["id"] for record in answer.taken} == {document["RESPONSE"]["UID"]}


@pytest.mark.parametrize(
    "change",
    [
        {"authkey": "x"},
        {"sender": ""},
        {"mobile": f"+{PHONE}"},
        {"mobile": "123"},
        {"mobile": number(Magic.INVALID)},
        {"mobile": number(Magic.CREDIT)},
    ],
)
def test_nimbus_says_errors_in_a_200(change: dict[str, str]) -> None:
    answer = get(make("nimbus"), "/api/pushsms", **{**NIMBUS, **change})
    assert (answer.status, read(answer)["STATUS"], answer.taken) == (200, "ERROR", [])


def test_nimbus_may_answer_the_bare_id() -> None:
    answer = get(make("nimbus", plain=True), "/api/pushsms", **NIMBUS)
    assert answer.encode().decode() == answer.taken[0]["id"]


def test_nimbus_biz_joins_numbers_and_warns_in_a_200() -> None:
    fake = make("nimbus-biz")
    good = form(fake, "/api/SmsApi/SendBulkApi", {**BIZ, "Phno": "9810012345,9810012346"})
    assert read(good) == {"Response": {"Message": f"Message ID : {good.taken[0]['id']}"}, "Status": "OK"}
    assert len(good.taken) == 2
    assert get(fake, "/api/SmsApi/SendSingleApi", **BIZ).taken
    with_query = fake.answer(Call("POST", "/api/SmsApi/SendBulkApi", urlencode(BIZ), {}, b""))
    assert with_query.taken


@pytest.mark.parametrize(
    ("kind", "change", "message"),
    [
        ("SendBulkApi", {"Password": "x"}, "Invalid UserID And Password!"),
        ("SendBulkApi", {"Phno": PHONE}, "Invalid Mobile Number!"),
        ("SendBulkApi", {"Phno": ",".join(["9810012345"] * 5001)}, "Maximum 5000 numbers allowed!"),
        ("SendBulkApi", {"Phno": f"9810{Magic.CREDIT}"}, "Insufficient Credit!"),
        ("SendBulkApi", {"SenderID": ""}, "SenderID is required!"),
    ],
)
def test_nimbus_biz_warns(kind: str, change: dict[str, str], message: str) -> None:
    answer = form(make("nimbus-biz"), f"/api/SmsApi/{kind}", {**BIZ, **change})
    assert (answer.status, answer.taken) == (200, [])
    assert read(answer) == {"Response": {"Message": message}, "Status": "WARNING"}


# ---- Plivo ----------------------------------------------------------------------------------------------------------

PLIVO = "/v1/Account/demo/Message/"


def plivo(document: Any, path: str = PLIVO) -> Answer:
    return post(make("plivo"), path, document, basic())


def test_plivo_drops_repeats_and_lists_invalid_numbers() -> None:
    dst = f"{PHONE}<+{PHONE}<jsgf3dsjh28372<919810012346"
    answer = plivo({"src": "S", "dst": dst, "text": "Hi"})
    document = read(answer)
    assert (answer.status, document["invalid_number"], len(document["message_uuid"])) == (202, ["jsgf3dsjh28372"], 2)
    assert [record["id"] for record in answer.taken] == document["message_uuid"]
    assert "invalid_number" not in read(plivo({"src": "S", "dst": PHONE, "text": "Hi"}))


@pytest.mark.parametrize(
    ("document", "status"),
    [
        (b"{", 400),
        ({"dst": PHONE, "text": "Hi"}, 400),
        ({"src": "S", "powerpack_uuid": "p", "dst": PHONE, "text": "Hi"}, 400),
        ({"src": "S", "dst": PHONE}, 400),
        ({"src": "S", "dst": "abc", "text": "Hi"}, 400),
        ({"src": "S", "dst": number(Magic.INVALID), "text": "Hi"}, 400),
        ({"src": "S", "dst": "<".join(f"9198100{n:05d}" for n in range(1001)), "text": "Hi"}, 400),
        ({"src": "S", "dst": number(Magic.THROTTLED), "text": "Hi"}, 429),
    ],
)
def test_plivo_refuses(document: Any, status: int) -> None:
    answer = plivo(document)
    assert (answer.status, set(read(answer)), answer.taken) == (status, {"api_id", "error"}, [])


def test_plivo_takes_a_form_and_wants_its_trailing_slash_and_account() -> None:
    assert form(make("plivo"), PLIVO, {"src": "S", "dst": PHONE, "text": "Hi"}, basic()).status == 202
    assert plivo({"src": "S", "dst": PHONE, "text": "Hi"}, PLIVO.rstrip("/")).status == 404
    assert post(make("plivo"), PLIVO, {"src": "S", "dst": PHONE, "text": "Hi"}).status == 401


# ---- SMSINDIAHUB ----------------------------------------------------------------------------------------------------

HUB = "/api/mt/SendSMS"


def hub(*phones: str, account: dict[str, Any] | None = None, text: str = "Hi", **knobs: Any) -> Answer:
    given = {"APIKey": SECRET, "SenderId": "HEADER", "Channel": "Trans", "DCS": 0} if account is None else account
    messages = [{"Number": phone, "Text": text, "DLTTemplateId": "1"} for phone in phones]
    return post(make("smsindiahub", **knobs), HUB, {"Account": given, "Messages": messages})


def test_smsindiahub_lists_good_numbers_and_leaves_invalid_ones_out() -> None:
    answer = hub(PHONE, number(Magic.INVALID), "919810012346")
    document = read(answer)
    assert (answer.status, document["ErrorCode"]) == (200, "000")
    assert [entry["Number"] for entry in document["MessageData"]] == [PHONE, "919810012346"]
    assert [entry["MessageId"] for entry in document["MessageData"]] == [record["id"] for record in answer.taken]


@pytest.mark.parametrize(
    ("phones", "more", "code"),
    [
        ([f"+{PHONE}"], {}, "13"),
        ([number(Magic.CREDIT), PHONE], {}, "21"),
        ([number(Magic.TEMPORARY)], {}, "6"),
        ([number(Magic.PERMANENT)], {}, "24"),
        ([PHONE], {"account": {}}, "1"),
        ([PHONE], {"account": {"APIKey": "x", "SenderId": "H"}}, "7"),
        ([PHONE], {"account": {"APIKey": SECRET}}, "3"),
        ([PHONE], {"text": ""}, "4"),
    ],
)
def test_smsindiahub_says_errors_in_a_200_with_nulls(phones: list[str], more: dict[str, Any], code: str) -> None:
    answer = hub(*phones, **more)
    document = read(answer)
    assert (answer.status, document["ErrorCode"], document["MessageData"], document["JobId"]) == (200, code, None, None)
    assert read(hub(*phones, **more, padded=True))["ErrorCode"] == code.rjust(3, "0")


def test_smsindiahub_takes_a_query_and_redirects_plain_http_when_told_to() -> None:
    query = {"APIKey": SECRET, "senderid": "H", "channel": "2", "DCS": "0", "number": f"{PHONE},919810012346"}
    assert len(get(make("smsindiahub"), HUB, **query, text="Hi", route="1").taken) == 2
    moved = get(make("smsindiahub", redirect=True), HUB, **query, text="Hi")
    assert (moved.status, moved.taken) == (301, [])
    assert "?" not in moved.headers["Location"]


LEGACY = {"user": "demo", "password": SECRET, "msisdn": PHONE, "sid": "H", "msg": "Hi", "fl": "0", "gwid": "2"}


def test_smsindiahub_legacy_nests_an_id_per_part() -> None:
    answer = get(make("smsindiahub-legacy"), "/vendorsms/pushsms.aspx", **{**LEGACY, "msg": "x" * 161})
    [entry] = read(answer)["MessageData"]
    assert [part["PartId"] for part in entry["MessageParts"]] == [1, 2]
    assert entry["MessageParts"][0]["MsgId"] == answer.taken[0]["id"]
    assert "".join(part["Text"] for part in entry["MessageParts"]) == "x" * 161


@pytest.mark.parametrize(
    ("change", "code"),
    [({"user": ""}, "001"), ({"password": "x"}, "007"), ({"sid": ""}, "003"), ({"msisdn": f"+{PHONE}"}, "013")],
)
def test_smsindiahub_legacy_errors_are_json_or_text(change: dict[str, str], code: str) -> None:
    path, fields = "/vendorsms/pushsms.aspx", {**LEGACY, **change}
    assert read(form(make("smsindiahub-legacy"), path, fields))["ErrorCode"] == code
    assert form(make("smsindiahub-legacy", plain_errors=True), path, fields).encode().startswith(b"Failed#")


# ---- Textlocal ------------------------------------------------------------------------------------------------------


def bulk_json(messages: list[dict[str, Any]], **knobs: Any) -> Answer:
    data = orjson.dumps({"sender": "TXTLCL", "messages": messages}).decode()
    return form(make("textlocal", **knobs), "/bulk_json/", {"apikey": SECRET, "data": data})


def test_textlocal_bulk_splits_success_and_failure_and_decodes_texts_twice() -> None:
    sent = [
        {"number": int(PHONE), "text": quote("50% off & more ₹", safe="")},
        {"number": number(Magic.INVALID), "text": "b"},
        {"number": "919810012346", "text": "c"},
    ]
    answer = bulk_json(sent)
    document = read(answer)
    assert (answer.status, document["status"]) == (200, "success")
    assert [batch["messages"][0]["recipient"] for batch in document["messages"]] == [int(PHONE), 919810012346]
    assert [batch["messages"][0]["id"] for batch in document["messages"]] == [record["id"] for record in answer.taken]
    [failure] = document["messages_not_sent"]
    assert (failure["number"], failure["error"]["code"]) == (number(Magic.INVALID), 51)
    assert answer.taken[0]["text"] == "50% off & more ₹"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"apikey": "x"}, 3),
        ({"data": {"messages": []}}, 4),
        ({"data": "{"}, 2),
        ({"data": {"messages": [{"number": PHONE, "text": ""}]}}, 5),
        ({"data": {"messages": [{"number": number(Magic.CREDIT), "text": "a"}]}}, 7),
        ({"data": {"messages": [{"number": number(Magic.HOURS), "text": "a"}]}}, 192),
        ({"data": {"messages": [{"number": number(Magic.INVALID), "text": "a"}]}}, 51),
    ],
)
def test_textlocal_says_failure_in_a_200(fields: dict[str, Any], code: int) -> None:
    data = fields.get("data", {"messages": [{"number": PHONE, "text": "a"}]})
    text = data if isinstance(data, str) else orjson.dumps(data).decode()
    answer = form(make("textlocal"), "/bulk_json/", {"apikey": SECRET, **fields, "data": text})
    document = read(answer)
    assert (answer.status, document["status"], document["errors"][0]["code"]) == (200, "failure", code)
    assert answer.taken == []


def test_textlocal_sends_nothing_at_night() -> None:
    assert read(bulk_json([{"number": PHONE, "text": "a"}], night=True))["errors"][0]["code"] == 192


def test_textlocal_send_joins_numbers_and_warns_of_bad_ones() -> None:
    fields = {"apikey": SECRET, "numbers": f"{PHONE},{number(Magic.INVALID)}", "message": "Hi", "sender": "TXTLCL"}
    answer = form(make("textlocal"), "/send/", fields)
    document = read(answer)
    assert [entry["recipient"] for entry in document["messages"]] == [int(PHONE)]
    assert document["warnings"][0]["code"] == 3
    assert len(answer.refused) == 1


# ---- Twilio, Vonage, Infobip ----------------------------------------------------------------------------------------

TWILIO = "/2010-04-01/Accounts/demo/Messages.json"
TWILIO_FORM = {"To": f"+{PHONE}", "From": "+15005550006", "Body": "Hi"}


def test_twilio_answers_201_with_its_message() -> None:
    answer = form(make("twilio"), TWILIO, TWILIO_FORM, basic())
    document = read(answer)
    assert (answer.status, document["status"], document["error_code"]) == (201, "queued", None)
    assert document["sid"].startswith("SM")
    assert len(document["sid"]) == 34


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"To": ""}, 400, 21604),
        ({"To": PHONE}, 400, 21211),
        ({"From": ""}, 400, 21603),
        ({"Body": ""}, 400, 21602),
        ({"Body": "x" * 1601}, 400, 21617),
        ({"To": f"+{number(Magic.BLOCKED)}"}, 400, 21610),
        ({"To": f"+{number(Magic.THROTTLED)}"}, 429, 20429),
    ],
)
def test_twilio_numbers_its_errors(change: dict[str, str], status: int, code: int) -> None:
    answer = form(make("twilio"), TWILIO, {**TWILIO_FORM, **change}, basic())
    assert (answer.status, read(answer)["code"], read(answer)["status"]) == (status, code, status)
    assert read(form(make("twilio"), TWILIO, TWILIO_FORM))["code"] == 20003


VONAGE = {"api_key": "demo", "api_secret": SECRET, "from": "ACME", "to": PHONE, "text": "Hi", "client-ref": "m1"}


def test_vonage_answers_an_element_per_part_with_text_statuses() -> None:
    for answer in (
        form(make("vonage"), "/sms/json", {**VONAGE, "text": "ü" * 71 + "🎉"}),
        post(make("vonage"), "/sms/json", {**VONAGE, "text": "ü" * 71 + "🎉"}),
    ):
        document = read(answer)
        assert (answer.status, document["message-count"]) == (200, "2")
        assert [(part["status"], part["client-ref"]) for part in document["messages"]] == [("0", "m1")] * 2
        assert answer.taken[0]["id"] == document["messages"][0]["message-id"]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"api_key": ""}, "2"),
        ({"text": ""}, "2"),
        ({"to": f"+{PHONE}"}, "3"),
        ({"api_secret": "x"}, "4"),
        ({"to": number(Magic.THROTTLED)}, "1"),
        ({"to": number(Magic.TEMPORARY)}, "5"),
        ({"to": number(Magic.CREDIT)}, "9"),
    ],
)
def test_vonage_says_errors_in_a_200(change: dict[str, str], status: str) -> None:
    answer = form(make("vonage"), "/sms/json", {**VONAGE, **change})
    assert (answer.status, read(answer)["messages"][0]["status"], answer.taken) == (200, status, [])


@pytest.mark.parametrize(("secret", "status"), [(SECRET, "0"), ("x", "4")])
def test_vonage_takes_basic_authentication_as_its_own_client_sends_it(secret: str, status: str) -> None:
    given = {name: value for name, value in VONAGE.items() if not name.startswith("api_")}
    answer = form(make("vonage"), "/sms/json", given, basic(password=secret))
    assert read(answer)["messages"][0]["status"] == status


APP = {"Authorization": f"App {SECRET}"}


def infobip(destinations: list[dict[str, str]], headers: dict[str, str] = APP) -> Answer:
    document = {"messages": [{"sender": "ACME", "destinations": destinations, "content": {"text": "Hi"}}]}
    return post(make("infobip"), "/sms/3/messages", document, headers)


def test_infobip_answers_per_destination_with_the_callers_id() -> None:
    answer = infobip([{"to": PHONE, "messageId": "mine"}, {"to": number(Magic.INVALID)}, {"to": "919810012346"}])
    entries = read(answer)["messages"]
    assert [entry["status"]["groupId"] for entry in entries] == [1, 5, 1]
    assert (entries[0]["messageId"], entries[0]["destination"]) == ("mine", PHONE)
    assert [record["ref"] for record in answer.taken] == ["mine", None]


def test_infobip_refuses_whole_requests() -> None:
    assert infobip([{"to": PHONE}], {"Authorization": "App x"}).status == 401
    assert infobip([{"to": PHONE}], {"Authorization": f"Bearer {SECRET}"}).status == 200
    assert infobip([]).status == 400
    assert infobip([{"to": "abc"}]).status == 400
    assert infobip([{"to": number(Magic.THROTTLED)}]).status == 429
    assert post(make("infobip"), "/sms/3/messages", {"messages": [{"text": "Hi"}]}, APP).status == 400


def test_infobip_serves_version_2_too() -> None:
    document = {"messages": [{"from": "ACME", "destinations": [{"to": PHONE}], "text": "Hi"}]}
    answer = post(make("infobip"), "/sms/2/text/advanced", document, APP)
    assert read(answer)["messages"][0]["to"] == PHONE
