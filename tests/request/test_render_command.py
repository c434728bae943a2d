"""`sms-connector render`: from a file and events to the requests a worker would send."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from connector.cli.main import group
from connector.errors import UsageError
from connector.receipts.tokens import ForeignTokenError, Tokens

SEED_BATCHED = """\
method: POST
url: https://sms.example.com/send
auth: {basic: {username: "${SMS_USER}", password: "${SMS_PASSWORD}"}}
headers: {X-Source: clevertap}
parameters:
  json: |
    {
      "hid": "$$hid", //Global Key-Value pair
      "tid": "$$TemplateID",
      "cid": "$$CampaignID",
      "type": "template",
      "msgs": [
        {
          "seq": 1,
          "to": "$$To",
          "uid": "$$uid", //Message Body Key-Value pair
          "variables": "$$TemplateVariables",
          "enc": "utf8"
        }
      ]
    }
batching: {key: msgs, records: 1000}
"""

SEED_SINGLE = """\
method: POST
url: https://sms.example.com/send
auth: {oauth2: {url: https://sms.example.com/token, client_id: "${SMS_ID}", secret: "${SMS_SECRET}"}}
parameters:
  json: |
    {
      "hid": "$$hid",//Message Body Key-Value pair
      "tid": "$$TemplateID",
      "cid": "$$CampaignID",
      "type": "template",
      "seq": 1,
      "to": "$$To",
      "uid": "$$uid",//Message Body Key-Value pair
      "variables": "$$TemplateVariables",
      "enc": "utf8"
    }
"""

TWO_OPERATIONS = """\
method: POST
operations:
  - name: bulk
    url: https://x.example/bulk
    parameters: {pairs: {From: $$sender, Messages: [{To: $$To, Body: $$Body}]}}
    batching: {key: Messages, records: {min: 2, max: 3}}
  - name: single
    url: https://x.example/single
    auth: {basic: {username: "${X_USER}", password: "${X_PASSWORD}"}}
    parameters: {pairs: {From: $$sender, To: $$To, Body: "$${Body}", At: "$${now()|date('%H:%M')}"}}
"""


def event(number: int, **fields) -> dict:
    given = {
        "message_id": f"m{number}",
        "to": f"+91980000000{number}",
        "campaign_id": "c1",
        "template_id": "t1",
        "body": "hi",
        "custom": {"hid": "h1", "uid": f"u{number}", "sender": "S"},
        "template_variables": {"name": "Asha"},
    }
    return {**given, **fields}


@pytest.fixture
def render(tmp_path):
    """Runs the command on a definition and events; gives its exit code and output."""

    def render(definition: str, events, *options: str):
        (tmp_path / "acme.yaml").write_text(definition)
        text = events if isinstance(events, str) else "\n".join(json.dumps(each) for each in events)
        arguments = ["render", str(tmp_path / "acme.yaml"), "--event", "-", *options]
        result = CliRunner().invoke(group, arguments, input=text)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.output

    return render


def test_the_seeds_batched_payload_is_one_request(render):
    code, output = render(SEED_BATCHED, [event(1), event(2)])

    assert code == 0
    assert output == (
        "# 1/1 acme.send, 2 messages: m1, m2\n"
        "POST https://sms.example.com/send\n"
        "Content-Type: application/json\n"
        "Authorization: Basic base64(${SMS_USER}:${SMS_PASSWORD})\n"
        "X-Source: clevertap\n"
        "\n"
        '{"hid":"h1","tid":"t1","cid":"c1","type":"template","msgs":['
        '{"seq":1,"to":"+919800000001","uid":"u1","variables":{"name":"Asha"},"enc":"utf8"},'
        '{"seq":1,"to":"+919800000002","uid":"u2","variables":{"name":"Asha"},"enc":"utf8"}]}\n'
    )


def test_the_seeds_single_payload_is_a_request_per_message_and_says_what_oauth_adds(render):
    code, output = render(SEED_SINGLE, [event(1), event(2)])

    body = (
        '{"hid":"h1","tid":"t1","cid":"c1","type":"template","seq":1,"to":"+91980000000%d","uid":"u%d",'
        '"variables":{"name":"Asha"},"enc":"utf8"}'
    )
    assert code == 0
    assert output.splitlines()[1] == (
        "# when it is sent, a header `Authorization: Bearer …` is added, with a token from https://sms.example.com/token"
    )
    assert [line for line in output.splitlines() if line.startswith("{")] == [body % (1, 1), body % (2, 2)]


def test_campaigns_and_what_stands_outside_the_records_never_share_a_request(render):
    events = [event(1), event(2, campaign_id="c2"), event(3), event(4, template_id="t2"), event(5, to="919800000001")]

    _, output = render(SEED_BATCHED, events, "--json")

    assert [each["messages"] for each in json.loads(output)["requests"]] == [["m1", "m3"], ["m5"], ["m2"], ["m4"]]


def test_too_few_for_an_operation_go_one_by_one_to_the_next(render):
    code, output = render(TWO_OPERATIONS, [event(n) for n in range(1, 5)], "--json", "--time", "2026-01-31T09:05:00Z")

    requests = json.loads(output)["requests"]
    assert code == 0
    assert [(each["operation"], each["messages"]) for each in requests] == [
        ("bulk", ["m1", "m2", "m3"]),
        ("single", ["m4"]),
    ]
    assert requests[1] == {
        "operation": "single",
        "method": "POST",
        "url": "https://x.example/single",
        "headers": [
            ["Content-Type", "application/x-www-form-urlencoded"],
            ["Authorization", "Basic base64(${X_USER}:${X_PASSWORD})"],
        ],
        "body": "From=S&To=%2B919800000004&Body=hi&At=09%3A05",
        "batch_id": requests[1]["batch_id"],
        "messages": ["m4"],
    }


def test_invalid_events_are_named_with_the_reason_and_the_others_are_shown(render):
    events = [event(1), event(2, custom={"hid": "h1"}), event(3, custom={"uid": "u"}), {"message_id": "m4"}]

    code, output = render(SEED_BATCHED, events)

    assert code == 1
    assert "# 1/1 acme.send, 1 message: m1\n" in output
    assert output.endswith(
        "# invalid\n# m3: $$hid has no value\n# stdin:4: not a message: to: missing\n# m2: $$uid has no value\n"
    )


@pytest.mark.parametrize("text", ["[{0}, {1}]", "{0}\n{1}\n", "{0}\n\n{1}"])
def test_events_are_an_array_or_lines(render, text):
    events = text.replace("{0}", json.dumps(event(1))).replace("{1}", json.dumps(event(2)))

    assert "2 messages: m1, m2" in render(SEED_BATCHED, events)[1]


def test_one_event_may_be_written_over_many_lines(render):
    assert "1 message: m1" in render(SEED_BATCHED, json.dumps(event(1), indent=2))[1]


def test_a_shell_never_puts_a_secret_where_a_user_wrote_its_name(render):
    secret = event(1, custom={"hid": "${SMS_PASSWORD}", "uid": "u"})

    _, output = render(SEED_BATCHED, [secret], "--curl")

    assert """-u "${SMS_USER}"':${SMS_PASSWORD}'""" in output
    assert '"${SMS_PASSWORD}"' not in output.replace('"hid":"${SMS_PASSWORD}"', "")


def test_an_id_never_leaves_the_comment_it_stands_in(render):
    _, output = render(SEED_BATCHED, [event(1, message_id="x\nrm -rf ~")], "--curl")

    assert output.splitlines()[0] == "# 1/1 acme.send, 1 message: 'x\\nrm -rf ~'"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--time", "2026-01-31T09:00:00"], "it has no zone"),
        (["--time", "noon"], "write it like 2026-01-31T09:00:00Z"),
        (["--curl", "--json"], "choose one"),
    ],
)
def test_wrong_options_are_named(render, options, words):
    with pytest.raises(Exception, match=words):
        render(SEED_BATCHED, [event(1)], *options)


def test_no_event_is_an_error(render):
    with pytest.raises(Exception, match="it holds no event"):
        render(SEED_BATCHED, "\n")


EVENT = {
    "message_id": "m1",
    "to": "+919812345678",
    "body": "Hi \u202e<you> & 'me' 👋",
    "template_id": "1107",
    "template_variables": {"name": "Asha"},
    "campaign_id": "c",
    "custom": {"hid": "h", "uid": "u"},
}


@pytest.mark.parametrize(
    ("parameters", "shown"),
    [
        (
            "{pairs: {to: $$To, text: $$Body}}",
            "to=%2B919812345678&text=Hi+%E2%80%AE%3Cyou%3E+%26+%27me%27+%F0%9F%91%8B",
        ),
        ("{json: [{to: $$To, text: $$Body}]}", '[{"to":"+919812345678","text":"Hi \u202e<you> & \'me\' 👋"}]'),
        (
            '{xml: {sms: {"@to": $$To, text: $$Body}}}',
            "<sms to=\"+919812345678\"><text>Hi \u202e&lt;you&gt; &amp; 'me' 👋</text></sms>",
        ),
        ('{text: "$$To;$$Body"}', "+919812345678;Hi \u202e<you> & 'me' 👋"),
    ],
)
def test_every_kind_of_body_is_shown_in_every_way(render, parameters, shown):
    text = f"method: POST\nurl: https://x.example/send\nheaders: {{authkey: '${{KEY}}'}}\nparameters: {parameters}\n"
    for option in ([], ["--json"], ["--curl"]):
        code, output = render(text, json.dumps(EVENT), *option)
        assert code == 0
        assert "${KEY}" in output
        if not option:
            assert output.endswith(shown + "\n")
        elif option == ["--json"]:
            assert json.loads(output)["requests"][0]["body"].endswith(shown)


def test_a_get_is_shown_with_its_query(render):
    text = "method: GET\nurl: https://x.example/send\nparameters: {pairs: {to: $$To, text: $$Body}}\n"
    assert "GET https://x.example/send?to=%2B919812345678&text=Hi%20" in render(text, json.dumps(EVENT))[1]


def test_an_events_own_message_id_is_sent_and_said_to_be_so_for_one_release_only(render):
    definition = SEED_BATCHED.replace('"enc": "utf8"', '"enc": "utf8", "mid": "$$MessageID"')
    custom = {"hid": "h1", "uid": "u2", "MessageID": "theirs"}

    code, output = render(definition, [event(1), event(2, custom=custom)])

    assert code == 0
    assert '"mid":"m1"' in output
    assert '"mid":"theirs"' in output
    told = [line for line in output.splitlines() if "the next release sends message_id" in line]
    assert told == ["stdin:2: custom.MessageID is sent as $$MessageID; the next release sends message_id"]


SIGNED = """\
method: POST
url: https://sms.example.com/send
auth:
  sign:
    query: {key: "${SMS_KEY}", sig: "$${params()|sort|join('&')|hmac(${SMS_SECRET}|unbase64, 'sha1')|base64}"}
    headers: {X-Nonce: "$${nonce()}", X-Time: "$${now()}"}
parameters: {pairs: {to: $$To, text: $$Body}}
"""

LOGIN = """\
method: POST
url: https://sms.example.com/send
auth:
  login:
    request: {url: https://sms.example.com/login, pairs: {user: "${SMS_USER}"}}
    token: {key: a, session: b}
    use: {headers: {X-Key: $$key, X-Sign: "k=$${body()|hmac(session)}"}, json: {session: $$session}}
parameters: {json: {to: $$To, text: $$Body}}
"""
HELLO = {"message_id": "m1", "provider": "acme", "to": "+919812345678", "body": "Hi"}


def rendered_text(tmp_path, definition, *options):
    (tmp_path / "acme.yaml").write_text(definition)
    (tmp_path / "event.json").write_text(json.dumps(HELLO))
    event = ["--event", str(tmp_path / "event.json"), "--time", "2026-01-02T03:04:05Z"]
    result = CliRunner().invoke(group, ["render", str(tmp_path / "acme.yaml"), *event, *options])
    assert result.exit_code == 0, result.output
    return result.output


def test_a_signature_shows_as_a_mask_and_the_same_events_as_the_same_request(tmp_path):
    shown = rendered_text(tmp_path, SIGNED)
    assert "# signed when it is sent, for each attempt: *** stands for what is made of secrets\n" in shown
    assert "POST https://sms.example.com/send?key=${SMS_KEY}&sig=***\n" in shown
    assert "X-Time: 1767323045\n" in shown
    assert shown == rendered_text(tmp_path, SIGNED)
    curl = rendered_text(tmp_path, SIGNED, "--curl")
    assert """'https://sms.example.com/send?key='"${SMS_KEY}"'&sig=***'""" in curl
    (request,) = json.loads(rendered_text(tmp_path, SIGNED, "--json"))["requests"]
    assert request["url"] == "https://sms.example.com/send?key=${SMS_KEY}&sig=***"


def test_what_a_login_brings_shows_as_a_mask(tmp_path):
    shown = rendered_text(tmp_path, LOGIN)
    assert "*** is what a login at https://sms.example.com/login brings, or is made of it\n" in shown
    assert "X-Key: ***\nX-Sign: k=***\n" in shown
    assert shown.endswith('{"to":"+919812345678","text":"Hi","session":"***"}\n')


REFERRING = """\
method: POST
url: https://sms.example.com/send
parameters: {pairs: {to: $$To, text: $$Body, callback: "$${receipt_url()?}", ref: "$${receipt('short')?}"}}
receipts: {match: token, state: s, states: {delivered: d}}
"""
REFERRED = '{"message_id": "m1", "to": "+447700900001", "body": "Hello"}'


def _rendered(tmp_path: Path, text: str, *options: str) -> Result:
    (tmp_path / "acme.yaml").write_text(text)
    (tmp_path / "event.json").write_text(REFERRED)
    arguments = ["render", str(tmp_path / "acme.yaml"), "--event", str(tmp_path / "event.json"), *options]
    return CliRunner().invoke(group, arguments)


def test_what_comes_back_with_receipts_is_shown_as_with_a_receiver_and_proves_nothing(tmp_path: Path) -> None:
    assert "callback" not in _rendered(tmp_path, REFERRING).output
    shown = _rendered(tmp_path, REFERRING, "--receive-url", "https://sms.example.com/back/").output
    found = re.search(
        "callback=https%3A%2F%2Fsms.example.com%2Fback%2Fm%2Facme%2F([A-Za-z0-9_-]+)&ref=([A-Za-z0-9_-]{18})", shown
    )
    assert found is not None, shown
    for token in found.groups():
        with pytest.raises(ForeignTokenError):
            Tokens(["hunter2-token-key-01"], ["sms.messages"]).read("acme", token)


def test_what_a_request_must_hold_is_shown_without_a_receiver_too(tmp_path: Path) -> None:
    text = REFERRING.replace("receipt_url()?", "receipt_url()")
    assert "callback=https%3A%2F%2Freceiver.invalid%2Fm%2Facme%2F" in _rendered(tmp_path, text).output


def test_a_receiver_that_is_no_url_is_told(tmp_path: Path) -> None:
    result = _rendered(tmp_path, REFERRING, "--receive-url", "sms.example.com")
    assert isinstance(result.exception, UsageError)
