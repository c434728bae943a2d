"""AWS End User Messaging, SendTextMessage (pinpoint-sms-voice-v2). Source: its service model in botocore."""

from __future__ import annotations

import re
from typing import Any

from connector.tools.simulator.call import Answer, Call, LogEntry, RefusedCall
from connector.tools.simulator.callbacks.aws_callbacks import CERTIFICATE, SnsCallbacks, SnsReceipts
from connector.tools.simulator.fake import Fake, Magic, magic, route
from connector.tools.simulator.knobs import AccountKnobs
from connector.tools.simulator.receipts.fate import SentMessage
from connector.tools.simulator.signature import SignatureError, verify

TARGET = "PinpointSMSVoiceV2.SendTextMessage"
MEDIA = "application/x-amz-json-1.0"
PHONE = re.compile(r"\+?[1-9][0-9]{1,18}")
MAX_BODY = 1600
MAX_CONTEXT, MAX_CONTEXT_VALUE = 5, 800
TIME_TO_LIVE = range(5, 259_201)
REFUSED: dict[Magic, tuple[int, str, str]] = {
    Magic.INVALID: (400, "ValidationException", "INVALID_PARAMETER"),
    Magic.BLOCKED: (400, "ConflictException", "DESTINATION_PHONE_NUMBER_OPTED_OUT"),
    Magic.THROTTLED: (400, "ThrottlingException", ""),
    Magic.TEMPORARY: (500, "InternalServerException", ""),
    Magic.PERMANENT: (400, "ResourceNotFoundException", "ORIGINATION_IDENTITY_NOT_FOUND"),
    Magic.CREDIT: (400, "ServiceQuotaExceededException", "MONTHLY_SPEND_LIMIT_REACHED_FOR_TEXT"),
}


class AwsEumOptions(AccountKnobs, frozen=True, kw_only=True):
    """`receipts`: with the topic's knobs, see SnsReceipts."""

    receipts: SnsReceipts = SnsReceipts()


class AwsEum(Fake):
    """POST / with `X-Amz-Target: PinpointSMSVoiceV2.SendTextMessage`, SigV4 (signing name `sms-voice`); one recipient.

    200 `{"MessageId"}`. Errors say what they are in `__type`, not in the status: throttling is a 400.
    """

    name = "aws-eum"
    about = "AWS End User Messaging SendTextMessage, SigV4"
    paths = ("/",)
    options = AwsEumOptions
    reports = SnsCallbacks

    @route("POST", "/")
    def send(self, call: Call) -> Answer:
        if call.headers.get("X-Amz-Target") != TARGET:
            raise _error(400, "UnknownOperationException", f"X-Amz-Target is not {TARGET}")
        try:
            verify(call, service="sms-voice", key=self.knobs.account, secret=self.knobs.secret, now=self.now())
        except SignatureError as error:
            raise _error(400, error.kind, str(error)) from error
        if call.media != MEDIA:
            raise _error(400, "SerializationException", f"Content-Type is not {MEDIA}")
        try:
            fields = call.json()
        except ValueError as error:
            raise _error(400, "SerializationException", "not JSON") from error
        _validate(fields)
        record: LogEntry = {"to": fields["DestinationPhoneNumber"], "text": fields.get("MessageBody")}
        record["ref"] = fields.get("Context", {}).get("message_id")
        values = {
            name: value for name, value in fields.items() if name not in {"DestinationPhoneNumber", "MessageBody"}
        }
        outcome = magic(record["to"])
        if outcome in REFUSED:
            status, kind, reason = REFUSED[outcome]
            raise _error(status, kind, f"{outcome.name.lower()} number", reason, refused=[{**record, "code": kind}])
        record["id"] = self.uuid()
        taken = [] if fields.get("DryRun") else [record]
        # Without a configuration set nobody is told.
        told = taken if fields.get("ConfigurationSetName") else []
        sender, context = fields.get("OriginationIdentity", ""), fields.get("Context", {})
        sent = [SentMessage(each["to"], each["id"], self.now(), sender=str(sender), context=context) for each in told]
        return Answer(200, {"MessageId": record["id"]}, media=MEDIA, taken=taken, values=values, sent=sent)

    @route("GET", f"/{re.escape(CERTIFICATE)}")
    def certificate(self, call: Call) -> Answer:
        """What SigningCertURL of a notification names."""
        del call
        assert isinstance(self.reporter, SnsCallbacks)
        return Answer(200, self.reporter.certificate, media="application/x-pem-file")

    @route("GET", "/")
    def confirm(self, call: Call) -> Answer:
        """What SubscribeURL of a confirmation names."""
        assert isinstance(self.reporter, SnsCallbacks)
        fine = call.query.get("Action") == "ConfirmSubscription" and self.reporter.confirm(call.query.get("Token", ""))
        if not fine:
            return Answer(400, "<ErrorResponse><Error><Code>InvalidParameter</Code></Error></ErrorResponse>")
        arn = f"{self.knobs.receipts.topic}:{self.uuid()}"
        result = f"<ConfirmSubscriptionResult><SubscriptionArn>{arn}</SubscriptionArn></ConfirmSubscriptionResult>"
        document = f"<ConfirmSubscriptionResponse>{result}</ConfirmSubscriptionResponse>"
        return Answer(200, document, media="text/xml")


def _validate(fields: Any) -> None:
    if not isinstance(fields, dict):
        raise _error(400, "SerializationException", "not an object")
    context = fields.get("Context", {})
    checks = {
        "DestinationPhoneNumber": isinstance(fields.get("DestinationPhoneNumber"), str)
        and bool(PHONE.fullmatch(fields["DestinationPhoneNumber"])),
        "MessageBody": isinstance(fields.get("MessageBody"), str) and 1 <= len(fields["MessageBody"]) <= MAX_BODY,
        "MessageType": fields.get("MessageType", "TRANSACTIONAL") in {"TRANSACTIONAL", "PROMOTIONAL"},
        "TimeToLive": fields.get("TimeToLive", TIME_TO_LIVE.start) in TIME_TO_LIVE,
        "Context": isinstance(context, dict)
        and len(context) <= MAX_CONTEXT
        and all(isinstance(value, str) and len(value) <= MAX_CONTEXT_VALUE for value in context.values()),
        "DryRun": isinstance(fields.get("DryRun", False), bool),
    }
    wrong = [
        {"Name": name, "Message": "missing, of the wrong type or out of range"}
        for name, fine in checks.items()
        if not fine
    ]
    if wrong:
        text = f"{len(wrong)} validation error detected: {wrong[0]['Name']}"
        raise _error(400, "ValidationException", text, "FIELD_VALIDATION_FAILED", fields=wrong)


def _error(
    status: int,
    kind: str,
    text: str,
    reason: str = "",
    *,
    fields: list[dict[str, str]] | None = None,
    refused: list[LogEntry] | None = None,
) -> RefusedCall:
    document: dict[str, Any] = {"__type": kind, "Message": text}
    if reason:
        document["Reason"] = reason
    if fields:
        document["Fields"] = fields
    return RefusedCall(Answer(status, document, media=MEDIA, headers={"x-amzn-ErrorType": kind}, refused=refused or []))
