"""Callbacks of Alibaba Cloud and Tencent Cloud. Sources: SmsReport and SmsUp (HTTP batch push) of the one, "SMS Sending
Status Notification" and "SMS Reply" of the other. Which codes carriers report is not documented for the networks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

import orjson

from connector.tools.simulator.callbacks.callback_times import chinese
from connector.tools.simulator.receipts.fate import NetworkState, News, NewsKind
from connector.tools.simulator.receipts.reporter import (
    AnswerVerdict,
    CallbackAttempt,
    Repetition,
    Reporter,
    WrittenCallback,
    json_post,
)
from connector.tools.simulator.texts import digits

CHINA: Final = "86"
ONE_DIGIT: Final = ("1", "7")
TWO_DIGITS: Final = frozenset(
    "20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64 65 66 "  # noqa: SIM905
    "81 82 84 86 90 91 92 93 94 95 98".split()
)
"""Calling codes (ITU-T E.164); all others have three digits."""
CODES: Final = {
    NetworkState.DELIVERED: ("DELIVRD", "delivered"),
    NetworkState.UNDELIVERED: ("UNDELIV", "the phone is switched off"),
    NetworkState.EXPIRED: ("EXPIRED", "the phone was switched off for too long"),
    NetworkState.BLOCKED: ("REJECTD", "the number is on the carrier's blacklist"),
}


class AliyunCallbacks(Reporter):
    """POST of a JSON array to the URL in the console, reports of several messages in one; `out_id` is the caller's own.

    Taken is a 200 whose `code` is a number, whatever it is. Else after 1, 5 and 10 minutes. Phones in mainland China
    stand without 86. How many reports go together is not documented: here a hundred.
    """

    words: ClassVar[Mapping[NetworkState, str]] = {state: code for state, (code, _) in CODES.items()} | {
        NetworkState.DELIVERED: "DELIVERED"
    }
    bunch = 100
    replies = True
    policy = Repetition(waits=(60, 300, 600))

    def write(self, attempt: CallbackAttempt) -> WrittenCallback:
        write = self._reply if attempt.news[0].kind is NewsKind.REPLY else self._report
        return json_post(attempt.url, [write(each) for each in attempt.news])

    def verdict(self, status: int, body: bytes) -> AnswerVerdict:
        code = _document(body).get("code") if status == 200 else None
        taken = isinstance(code, int | float) and not isinstance(code, bool)
        return AnswerVerdict.TAKEN if taken else AnswerVerdict.AGAIN

    def _report(self, news: News) -> dict[str, Any]:
        assert news.state is not None
        sent = news.sent
        report: dict[str, Any] = {
            "phone_number": _aliyun_phone(sent.to),
            "send_time": chinese(sent.at),
            "report_time": chinese(news.at),
            "success": news.state is NetworkState.DELIVERED,
            "err_code": self.words[news.state],
            "err_msg": CODES[news.state][1],
            "sms_size": "1",
            "biz_id": sent.id,
        }
        return report | ({"out_id": sent.ref} if sent.ref else {})

    def _reply(self, news: News) -> dict[str, Any]:
        return {
            "phone_number": _aliyun_phone(news.sent.to),
            "send_time": chinese(news.at),
            "content": "STOP",
            "sign_name": news.sent.sender,
            "dest_code": "1234",
            "sequence_id": int(news.at * 1000),
        }


def _aliyun_phone(phone: str) -> str:
    return digits(phone).removeprefix(CHINA)


class TencentCallbacks(Reporter):
    """POST of JSON to the URL in the console: an array of reports, known by `sid` (the reply's SerialNo) alone.

    A reply is an object by itself. It wants `{"result": 0}`. Repeats are not documented: there are none.
    """

    words: ClassVar[Mapping[NetworkState, str]] = {state: code for state, (code, _) in CODES.items()}
    bunch = 100
    replies = True

    def write(self, attempt: CallbackAttempt) -> WrittenCallback:
        first = attempt.news[0]
        if first.kind is NewsKind.REPLY:
            return json_post(attempt.url, self._reply(first))
        return json_post(attempt.url, [self._report(each) for each in attempt.news])

    def verdict(self, status: int, body: bytes) -> AnswerVerdict:
        taken = status == 200 and _document(body).get("result") == 0
        return AnswerVerdict.TAKEN if taken else AnswerVerdict.AGAIN

    def _report(self, news: News) -> dict[str, str]:
        assert news.state is not None
        country, phone = _parts(news.sent.to)
        code, words = CODES[news.state]
        return {
            "user_receive_time": chinese(news.at),
            "nationcode": country,
            "mobile": phone,
            "report_status": "SUCCESS" if news.state is NetworkState.DELIVERED else "FAIL",
            "errmsg": code,
            "description": words,
            "sid": news.sent.id,
        }

    def _reply(self, news: News) -> dict[str, Any]:
        country, phone = _parts(news.sent.to)
        names = {"extend": "", "mobile": phone, "nationcode": country, "sign": news.sent.sender}
        return {**names, "text": "STOP", "time": int(news.at)}


def _parts(phone: str) -> tuple[str, str]:
    """Calling code and number."""
    number = digits(phone)
    length = 1 if number.startswith(ONE_DIGIT) else 2 if number[:2] in TWO_DIGITS else 3
    return number[:length], number[length:]


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
