"""What single providers do that others do not, and what their documents leave open."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from multidict import CIMultiDict

from connector.clock import SystemClock
from connector.config_text.environment import Environment
from connector.definition.load import load
from connector.errors import MessageError
from connector.model import Batch, Reply
from connector.response.reply_reader import compile_response
from connector.tools.simulator.call import Call
from connector.tools.simulator.fake import Magic

from .shipped import DEMO, magic_message, message, provided, shipped


async def test_bulksms_is_not_sent_twice_when_an_uncertain_request_is_repeated() -> None:
    """The repeated request has the same bytes and deduplication-id; the ids are those of the first reply."""
    async with provided("bulksms") as provider:
        provider.set(drop="after", times=2)
        delivery = await provider.deliver(*(message(n) for n in range(5)))
        taken = {record["ref"]: record["id"] for record in provider.taken()}
        repeated = [request["values"].get("repeated") for request in provider.log()]
    assert len(taken) == 5
    assert repeated == [None, True, True]
    assert {key: result.provider_message_id for key, result in delivery.results.items()} == taken
    assert {result.attempts for result in delivery.results.values()} == {3}


async def test_bulksms_marks_in_a_text_are_no_fields() -> None:
    """`{F0}` written by a user would be replaced by nothing."""
    async with provided("bulksms") as provider:
        await provider.exchange(message(1, body="Use {F0###} and {fn} and {sn10} and {F}"))
        assert provider.taken()[0]["text"] == "Use { F0###} and { fn} and { sn10} and { F}"


async def test_bulksms_long_ids_are_matched_by_what_stands_for_them() -> None:
    """userSuppliedId has 20 characters, a message_id up to 128."""
    async with provided("bulksms") as provider:
        provider.set(shuffle=True)
        long = [message(n, message_id=f"{'campaign-of-the-year/' * 5}{n}") for n in range(10)]
        exchange = await provider.exchange(*long)
        ids = {record["to"]: record["id"] for record in provider.taken()}
    assert [outcome.provider_message_id for outcome in exchange.outcomes] == [ids[each.to] for each in long]


@pytest.mark.parametrize("code_as_text", [False, True])
async def test_exotel_status_failed_is_a_refusal(code_as_text: bool) -> None:
    """DND comes back as HTTP 200 with a Sid; the code is a number in one capture and text in another."""
    async with provided("exotel") as provider:
        provider.set(code_as_text=code_as_text)
        many = await provider.exchange(message(1), magic_message(2, Magic.BLOCKED), message(3))
        one = await provider.exchange(magic_message(2, Magic.BLOCKED))
    for outcome in (many.outcomes[1], one.outcomes[0]):
        assert (outcome.then, outcome.code, outcome.reason) == ("reject", "23005", "FAILED_DND")


async def test_exotel_refused_elements_are_told_apart_only_where_they_agree() -> None:
    """A RestException in a bulk reply has no number: two that differ are doubtful for exactly those two messages."""
    async with provided("exotel") as provider:
        good = [message(n) for n in range(3)]
        alike = await provider.exchange(*good, magic_message(3, Magic.INVALID), magic_message(4, Magic.PERMANENT))
        apart = await provider.exchange(*good, magic_message(3, Magic.INVALID), magic_message(4, Magic.TEMPORARY))
    assert alike.words == ["accept"] * 3 + ["reject"] * 2
    assert alike.outcomes[3].code is None  # which code is whose is not known
    assert apart.words == ["accept"] * 3 + ["unknown"] * 2


async def test_exotel_in_the_shape_of_its_newer_pages_is_unknown() -> None:
    """{"SMSMessages": […]} is not verified: nothing is guessed from it."""
    async with provided("exotel") as provider:
        provider.set(bulk_shape="SMSMessages")
        exchange = await provider.exchange(message(1), message(2))
    assert exchange.words == ["unknown"] * 2


async def test_exotel_a_single_message_goes_by_the_single_form() -> None:
    """The last one of a campaign is not kept waiting for a second."""
    async with provided("exotel") as provider:
        delivery = await provider.deliver(message(1))
        paths = [request["path"] for request in provider.log()]
    assert delivery.statuses == {"m1": "accepted"}
    assert [path.rpartition("/")[2] for path in paths] == ["send.json"]


async def test_exotel_its_own_503_took_nothing() -> None:
    """RestException 503 is retried and given up as failed; a gateway's 503 stays uncertain (test_contract.py)."""
    async with provided("exotel") as provider:
        delivery = await provider.deliver(magic_message(1, Magic.TEMPORARY), through_pauses=True)
    (result,) = delivery.results.values()
    # Four attempts, and one more in case they fell into an outage: nothing else shows that the provider works.
    assert (str(result.status), result.attempts, result.code) == ("failed", 5, "35008")


async def test_msg91_a_suppressed_repeat_is_unknown() -> None:
    """311: an identical request within 10 seconds. The first may have been taken, so it is never sent a third time."""
    async with provided("msg91") as provider:
        provider.set(repeat_seconds=10)
        await provider.exchange(message(1))
        again = await provider.exchange(message(1))
    assert [(outcome.then, outcome.code) for outcome in again.outcomes] == [("unknown", "311")]


@pytest.mark.parametrize("status", [200, 400, 401, 422, 500])
async def test_msg91_errors_are_read_whatever_their_http_status_is(status: int) -> None:
    async with provided("msg91") as provider:
        provider.set(error_status=status)
        exchange = await provider.exchange(message(1), magic_message(2, Magic.CREDIT))
    assert [(outcome.then, outcome.code) for outcome in exchange.outcomes] == [("pause", "301")] * 2


async def test_msg91_a_variable_called_like_the_recipient_is_refused() -> None:
    """It would overwrite the phone number."""
    async with provided("msg91") as provider:
        with pytest.raises(MessageError, match="mobiles"):
            await provider.exchange(message(1, template_variables={"mobiles": "919999999999"}))
        assert provider.log() == []


@pytest.mark.parametrize("name", ["msg91", "textlocal"])
async def test_a_refused_hour_waits_for_the_morning(name: str) -> None:
    """306 and 192: at nine in India, not sooner and not counted."""
    now = SystemClock().wall()
    async with provided(name) as provider:
        exchange = await provider.exchange(magic_message(1, Magic.HOURS))
    (outcome,) = exchange.outcomes
    assert outcome.then == "defer"
    assert outcome.until is not None
    assert 0 < outcome.until - now <= 86_400
    assert round(outcome.until + 5.5 * 3600) % 86_400 == 9 * 3600


async def test_nimbus_accounts_that_answer_a_bare_number() -> None:
    async with provided("nimbus") as provider:
        provider.set(plain=True)
        exchange = await provider.exchange(message(1), message(2))
        ids = {record["id"] for record in provider.taken()}
    assert exchange.words == ["accept"] * 2
    assert {outcome.provider_batch_id for outcome in exchange.outcomes} == ids


async def test_nimbus_biz_takes_indian_numbers_only() -> None:
    """Others are invalid; they are never sent as something else."""
    async with provided("nimbus-biz") as provider:
        exchange = await provider.exchange(message(1), message(2, to="+14155550100"), message(3))
        numbers = [record["to"] for record in provider.taken()]
    assert numbers == ["9800000019", "9800000039"]
    (reason,) = exchange.invalid
    assert "not a number of country code 91" in reason


async def test_plivo_a_short_list_of_ids_makes_all_the_rest_unknown() -> None:
    """message_uuid has no numbers: with one missing nobody knows whose; the invalid number is known all the same."""
    async with provided("plivo") as provider:
        provider.set(truncate=1)
        exchange = await provider.exchange(message(1), magic_message(2, Magic.INVALID), message(3))
    assert exchange.words == ["unknown", "reject", "unknown"]


async def test_plivo_the_id_of_a_message_alone_is_its_own() -> None:
    async with provided("plivo") as provider:
        exchange = await provider.exchange(message(1))
        (taken,) = provider.taken()
    assert exchange.outcomes[0].provider_message_id == taken["id"]
    assert exchange.outcomes[0].provider_batch_id != taken["id"]


async def test_plivo_a_batch_of_nothing_but_invalid_numbers() -> None:
    """400 for the whole request: bisected, and every one is rejected."""
    async with provided("plivo") as provider:
        delivery = await provider.deliver(*(magic_message(n, Magic.INVALID) for n in range(4)))
    assert set(delivery.statuses.values()) == {"rejected"}


@pytest.mark.parametrize("name", ["smsindiahub", "smsindiahub-legacy"])
@pytest.mark.parametrize("code", ["13", "013", 13])
def test_smsindiahub_codes_with_and_without_zeros(name: str, code: str | int) -> None:
    """`13` was captured where the document says 013."""
    assert judged(name, {"ErrorCode": code, "ErrorMessage": "words", "JobId": None, "MessageData": None}) == "split"


async def test_smsindiahub_a_redirect_is_not_followed() -> None:
    """Plain http is answered 301, and what followed it would lose its parameters: the lane pauses and says why."""
    async with provided("smsindiahub") as provider:
        provider.set(redirect=True)
        exchange = await provider.exchange(message(1), message(2))
        assert len(provider.log()) == 1
    assert exchange.words == ["pause"] * 2


async def test_textlocal_refused_messages_say_why() -> None:
    async with provided("textlocal") as provider:
        exchange = await provider.exchange(message(1), magic_message(2, Magic.BLOCKED))
    assert (exchange.outcomes[1].code, exchange.outcomes[1].reason) == ("51", "Number is in DND")


async def test_pinpoint_replaces_names_in_a_text_with_template_variables() -> None:
    async with provided("aws-pinpoint") as provider:
        messages = [message(n, body="Hi {{name}}", template_variables={"name": f"N{n}", "n": 1}) for n in range(2)]
        await provider.exchange(*messages)
        assert [record["text"] for record in provider.taken()] == ["Hi N0", "Hi N1"]


@pytest.mark.parametrize("name", ["aws-pinpoint", "aws-eum"])
@pytest.mark.parametrize("secret", ["wrong", "demo-secret "])
async def test_aws_a_wrong_signature_pauses(name: str, secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    async with provided(name) as provider:
        exchange = await provider.exchange(message(1))
    assert exchange.words == ["pause"]


@pytest.mark.parametrize("prefix", ["", "com.amazonaws.pinpointsmsvoicev2#"])
@pytest.mark.parametrize(
    ("kind", "status", "then"),
    [
        ("ThrottlingException", 400, "throttle"),
        ("ThrottlingException", 429, "throttle"),
        ("ServiceQuotaExceededException", 400, "pause"),
        ("AccessDeniedException", 400, "pause"),
        ("ExpiredTokenException", 400, "pause"),
        ("ValidationException", 400, "reject"),
        ("ConflictException", 409, "reject"),
        ("ResourceNotFoundException", 400, "reject"),
        ("InternalServerException", 500, "uncertain"),
    ],
)
def test_eum_goes_by_the_kind_of_an_error(kind: str, status: int, then: str, prefix: str) -> None:
    """The status says little: throttling is a 400."""
    assert judged("aws-eum", {"__type": prefix + kind, "Message": "words"}, status) == then


async def test_vonage_a_long_text_has_an_element_per_part() -> None:
    async with provided("vonage") as provider:
        exchange = await provider.exchange(message(1, body="नमस्ते " * 40))
        (taken,) = provider.taken()
    assert exchange.words == ["accept"]
    assert exchange.outcomes[0].provider_message_id == taken["id"]


async def test_infobip_no_credit_for_one_message_pauses_the_account() -> None:
    """A status inside HTTP 200; the message waits, the others are taken."""
    async with provided("infobip") as provider:
        exchange = await provider.exchange(message(1), magic_message(2, Magic.CREDIT))
    assert exchange.words == ["accept", "pause"]


# It has no reply that says how much of a text it took.
LONG_TEXTS = {"a" * 160: 1, "a" * 161: 2, "€" * 81: 2, "न" * 70: 1, "न" * 71: 2, "😀" * 35: 1, "😀" * 36: 2}


@pytest.mark.parametrize(("text", "parts"), LONG_TEXTS.items(), ids=map(str, range(len(LONG_TEXTS))))
async def test_kannel_is_not_sent_what_it_would_cut(text: str, parts: int, tmp_path: Path) -> None:
    """Its default is one SMS a text; where kannel.conf says two, so does a definition that extends ours."""
    async with provided("kannel") as provider:
        if parts > 1:
            with pytest.raises(MessageError, match=f"takes {parts} SMS parts; at most 1 are allowed"):
                await provider.exchange(message(1, body=text))
        else:
            await provider.exchange(message(1, body=text))
        assert [record["text"] for record in provider.taken()] == [text] * (parts == 1)
    (tmp_path / "mine.yaml").write_text("extends: kannel\nparameters: {text: '$${Body|max_segments(2)}'}\n")
    mine = load(tmp_path / "mine.yaml", environment=Environment(DEMO))
    async with provided("kannel", definition=mine) as provider:
        provider.set(max_messages=2, concatenation=True)
        await provider.exchange(message(1, body=text))
        assert [record["text"] for record in provider.taken()] == [text]


async def test_kannel_without_its_smsc_queues_and_when_the_queue_is_full_messages_wait() -> None:
    """What is queued is taken; what finds the queue full is sent again, and not counted."""
    async with provided("kannel") as provider:
        provider.set(away=True, queue=2)
        exchanges = [await provider.exchange(message(n)) for n in range(3)]
        assert [exchange.words for exchange in exchanges] == [["accept"], ["accept"], ["throttle"]]
        assert [exchange.outcomes[0].code for exchange in exchanges] == ["3", "3", None]
        provider.set()
        assert (await provider.exchange(message(2))).words == ["accept"]
        assert len(provider.taken()) == 3


@pytest.mark.parametrize(
    "reply",
    [
        "0: Accepted",
        "0: Accepted for delivery. Or not.",
        "1: Something new",
        "Sent. Denied receivers are: 91",
        "Sent",
        "",
    ],
)
def test_kannel_says_nothing_else_that_means_taken(reply: str) -> None:
    assert judged("kannel", reply, 202) == "unknown"


@pytest.mark.parametrize(("name", "status"), [("twilio", "failed"), ("vonage", "rejected"), ("aws-eum", "failed")])
async def test_a_fault_inside_the_provider_ends_in_a_result(name: str, status: str) -> None:
    """A message that can never be taken is given up after its attempts."""
    magic = Magic.TEMPORARY if status == "failed" else Magic.PERMANENT
    async with provided(name) as provider:
        delivery = await provider.deliver(magic_message(1, magic), through_pauses=True)
    assert delivery.statuses == {"m1": status}


def judged(name: str, document: object, status: int = 200) -> str:
    """What a reply to two messages (one, where requests have one) means, in one word."""
    operation = shipped(name).operations[0]
    body = document if isinstance(document, str) else json.dumps(document)
    messages = [message(n) for n in range(2 if operation.batching else 1)]
    reading = compile_response(operation).read(Reply(status, {}, body.encode()), messages, Batch("0" * 32, 0.0), 0.0)
    (then,) = {outcome.then for outcome in reading.outcomes}
    return then


async def test_tencent_numbers_of_china_and_of_elsewhere_are_sent_apart() -> None:
    """It takes no request with both; halves are sent until neither is mixed."""
    messages = [message(n, to=f"+8613800{n:06d}9" if n % 3 == 0 else message(n).to) for n in range(1, 9)]
    async with provided("tencent") as provider:
        mixed = await provider.exchange(*messages)
        delivery = await provider.deliver(*messages)
        taken = [record["to"] for record in provider.taken()]
    assert set(mixed.words) == {"split"}
    assert set(delivery.statuses.values()) == {"accepted"}
    assert sorted(taken) == sorted(each.to for each in messages)


async def test_tencent_waits_thirty_seconds_before_the_same_number_is_tried_again() -> None:
    async with provided("tencent") as provider:
        exchange = await provider.exchange(magic_message(1, Magic.THROTTLED))
    (outcome,) = exchange.outcomes
    assert (outcome.then, outcome.after) == ("retry", 30.0)


@pytest.mark.parametrize(("name", "seconds"), [("tencent", 3600), ("aliyun", 3600), ("ovh", 3600)])
async def test_a_clock_that_is_off_pauses_and_costs_nobody_a_message(name: str, seconds: int) -> None:
    """Signatures carry a time; what is refused for it is refused for every message."""
    async with provided(name) as provider:
        now = provider.fake.now
        provider.fake.now = lambda: now() + seconds
        exchange = await provider.exchange(message(1), message(2))
        assert provider.taken() == []
    assert set(exchange.words) == {"pause"}


@pytest.mark.parametrize("name", ["tencent", "ovh"])
async def test_a_signature_covers_what_is_sent(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or the fakes prove nothing: the same request is taken again, with another text, time or secret it is not."""
    async with provided(name) as provider:
        calls: list[Call] = []
        fake, answer = provider.fake, provider.fake.answer
        monkeypatch.setattr(fake, "answer", lambda call: calls.append(call) or answer(call))
        await provider.exchange(message(1), message(2))
    (call,) = calls
    (stamp,) = [each for each in call.headers if each.lower().endswith("-timestamp")]
    headers = CIMultiDict(call.headers)
    headers[stamp] = str(int(call.headers[stamp]) + 1)
    assert len(answer(call).taken) == 2
    assert answer(replace(call, body=call.body.replace(b"ACMEIN", b"OTHERS"))).taken == []
    assert answer(replace(call, headers=headers)).taken == []
    fake.set(msgspec.convert({"secret": "another"}, type=fake.options))
    assert answer(call).taken == []


@pytest.mark.parametrize("name", ["tencent", "aliyun", "ovh"])
async def test_each_attempt_is_signed_anew(name: str) -> None:
    """Alibaba takes a nonce once: the repeated request would be refused for good."""
    async with provided(name) as provider:
        provider.set(throttle=True, times=2)
        delivery = await provider.deliver(message(1), message(2))
    assert set(delivery.statuses.values()) == {"accepted"}


async def test_skebby_a_session_that_ended_is_renewed_and_nobody_notices() -> None:
    """401 takes nothing: the login is asked once more, and the request is sent again."""
    async with provided("skebby") as provider:
        assert provider.fake.action("forget")
        delivery = await provider.deliver(message(1))
        paths = [request["path"].rpartition("/")[2] for request in provider.log()]
        assert len(provider.taken()) == 1
    assert {str(each.status): each.attempts for each in delivery.results.values()} == {"accepted": 1}
    assert paths == ["sms", "login", "sms"]


async def test_skebby_a_total_that_is_not_one_accepts_nobody() -> None:
    async with provided("skebby") as provider:
        exchange = await provider.exchange(magic_message(2, Magic.SILENT))
    assert exchange.words == ["unknown"]
    assert "0" in (exchange.outcomes[0].reason or "")


async def test_speedsms_a_number_in_another_spelling_puts_all_in_doubt() -> None:
    """Only failures are listed: one that belongs to no message may be anybody's."""
    (operation,) = shipped("speedsms").operations
    reader = compile_response(operation)
    reply = '{"status":"success","code":"00","data":{"tranId":7,"totalSMS":1,"invalidPhone":["9800000019"]}}'
    reading = reader.read(Reply(200, {}, reply.encode()), [message(1), message(2)], Batch("0" * 32, 0.0), 0.0)
    assert [outcome.then for outcome in reading.outcomes] == ["unknown", "unknown"]


async def test_ovh_the_id_of_a_message_alone_is_its_own() -> None:
    """ids has no documented order: of several it is not known whose each is."""
    async with provided("ovh") as provider:
        alone = await provider.exchange(message(1))
        together = await provider.exchange(message(2), message(3))
        first, *_ = provider.taken()
    assert alone.outcomes[0].provider_batch_id == first["id"]
    assert {(each.provider_message_id, each.provider_batch_id) for each in together.outcomes} == {(None, None)}


async def test_jasmin_a_text_that_it_would_cut_is_invalid() -> None:
    """It keeps five SMS of a text and says nothing of the rest."""
    fits, longer = "x" * 153 * 5, "x" * (153 * 5 + 1)
    async with provided("jasmin") as provider:
        await provider.exchange(message(1, body=fits))
        assert provider.taken()[0]["text"] == fits
        with pytest.raises(MessageError, match="6"):
            await provider.exchange(message(1, body=longer))
