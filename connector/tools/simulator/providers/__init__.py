"""The fakes, one module each: first the generic ones, then those of real providers."""

from __future__ import annotations

from connector.tools.simulator.fake import Fake
from connector.tools.simulator.providers.aliyun import Aliyun
from connector.tools.simulator.providers.anything import Anything
from connector.tools.simulator.providers.aws_eum import AwsEum
from connector.tools.simulator.providers.aws_pinpoint import AwsPinpoint
from connector.tools.simulator.providers.bulksms import BulkSms
from connector.tools.simulator.providers.exotel import Exotel
from connector.tools.simulator.providers.infobip import Infobip
from connector.tools.simulator.providers.jasmin import Jasmin
from connector.tools.simulator.providers.json_batch import JsonBatch
from connector.tools.simulator.providers.json_single import JsonSingle
from connector.tools.simulator.providers.kannel import Kannel
from connector.tools.simulator.providers.msg91 import Msg91
from connector.tools.simulator.providers.nimbus import Nimbus
from connector.tools.simulator.providers.nimbus_biz import NimbusBiz
from connector.tools.simulator.providers.ovh import Ovh
from connector.tools.simulator.providers.pairs import Pairs
from connector.tools.simulator.providers.plivo import Plivo
from connector.tools.simulator.providers.skebby import Skebby
from connector.tools.simulator.providers.smsindiahub import SmsIndiaHub
from connector.tools.simulator.providers.smsindiahub_legacy import SmsIndiaHubLegacy
from connector.tools.simulator.providers.speedsms import SpeedSms
from connector.tools.simulator.providers.tencent import Tencent
from connector.tools.simulator.providers.text import TextProvider
from connector.tools.simulator.providers.textlocal import Textlocal
from connector.tools.simulator.providers.twilio import Twilio
from connector.tools.simulator.providers.vonage import Vonage

PROVIDERS: dict[str, type[Fake]] = {
    fake.name: fake
    for fake in (
        JsonBatch,
        JsonSingle,
        Pairs,
        TextProvider,
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
        Kannel,
        Aliyun,
        Jasmin,
        Ovh,
        Skebby,
        SpeedSms,
        Tencent,
    )
}
"""Name → fake."""
