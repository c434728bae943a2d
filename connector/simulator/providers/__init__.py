"""The fakes, one module each: first the generic ones, then those of real providers."""

from __future__ import annotations

from connector.simulator.fake import Fake
from connector.simulator.providers.anything import Anything
from connector.simulator.providers.aws_eum import AwsEum
from connector.simulator.providers.aws_pinpoint import AwsPinpoint
from connector.simulator.providers.bulksms import BulkSms
from connector.simulator.providers.exotel import Exotel
from connector.simulator.providers.infobip import Infobip
from connector.simulator.providers.json_batch import JsonBatch
from connector.simulator.providers.json_single import JsonSingle
from connector.simulator.providers.msg91 import Msg91
from connector.simulator.providers.nimbus import Nimbus
from connector.simulator.providers.nimbus_biz import NimbusBiz
from connector.simulator.providers.pairs import Pairs
from connector.simulator.providers.plivo import Plivo
from connector.simulator.providers.smsindiahub import SmsIndiaHub
from connector.simulator.providers.smsindiahub_legacy import SmsIndiaHubLegacy
from connector.simulator.providers.text import Text
from connector.simulator.providers.textlocal import Textlocal
from connector.simulator.providers.twilio import Twilio
from connector.simulator.providers.vonage import Vonage

PROVIDERS: dict[str, type[Fake]] = {
    fake.name: fake
    for fake in (
        JsonBatch,
        JsonSingle,
        Pairs,
        Text,
        Anything,
        BulkSms,
        Exotel,
        Msg91,
        Nimbus,
        NimbusBiz,
        Plivo,
        SmsIndiaHub,
        SmsIndiaHubLegacy,
        Textlocal,
        AwsPinpoint,
        AwsEum,
        Twilio,
        Vonage,
        Infobip,
    )
}
"""Name → fake."""
