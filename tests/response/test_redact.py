"""What a provider echoes, without secrets and phone numbers."""

from __future__ import annotations

import pytest

from connector.response.redact import redact

SECRETS = {"${KEY}": "ab/cd+ef", "${LONG}": "ab/cd+ef-gh", "${PIN}": "123"}


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("key ab/cd+ef is wrong", "key ${KEY} is wrong"),
        ("key ab%2Fcd%2Bef is wrong", "key ${KEY} is wrong"),
        ("ab/cd+ef-gh", "${LONG}"),  # one secret holds another
        ("code 123", "code 123"),  # too short to be looked for
        ("to +919812345678 refused", "to +**********78 refused"),
        ("to 98123 45678 refused", "to ***** ***78 refused"),
        ("request 57 of 2023-11-14", "request 57 of 2023-11-14"),
        ("Messages can only be sent between 9am to 9pm", "Messages can only be sent between 9am to 9pm"),
        ("", ""),
    ],
)
def test_redacted_and_redacted_again(text: str, redacted: str) -> None:
    assert redact(text, SECRETS) == redacted
    assert redact(redacted, SECRETS) == redacted
