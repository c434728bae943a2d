"""How structures stand in pairs, records in a query, parts of multipart/form-data; methods beside GET and POST."""

from __future__ import annotations

import json
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.config_text.environment import Environment
from connector.definition.load import load
from connector.model import Batch, Request
from connector.request.renderer import Renderer, compile_operation
from tests.request.trees import batch, message

SPELLED = [
    ("", "m[0][to]=1&m[0][v][0]=a&m[0][v][1]=b&m[1][to]=2"),
    ("{lists: '[]'}", "m[][to]=1&m[][v][]=a&m[][v][]=b&m[][to]=2"),
    ("{lists: repeat, maps: .key}", "m.to=1&m.v=a&m.v=b&m.to=2"),
    ("{lists: '.1', maps: .key}", "m.1.to=1&m.1.v.1=a&m.1.v.2=b&m.2.to=2"),
    (
        "{lists: .member.1, maps: .key}",
        "m.member.1.to=1&m.member.1.v.member.1=a&m.member.1.v.member.2=b&m.member.2.to=2",
    ),
    ("{lists: '[0]', maps: .key}", "m[0].to=1&m[0].v[0]=a&m[0].v[1]=b&m[1].to=2"),
    ("{lists: '1', maps: '[key]'}", "m1[to]=1&m1[v]1=a&m1[v]2=b&m2[to]=2"),
    ("{lists: _1, maps: _key}", "m_1_to=1&m_1_v_1=a&m_1_v_2=b&m_2_to=2"),
    ("{lists: '[1]', maps: ':key'}", "m[1]:to=1&m[1]:v[1]=a&m[1]:v[2]=b&m[2]:to=2"),
]


def compiled(tmp_path: Any, text: str) -> Renderer:
    file = tmp_path / "acme.yaml"
    file.write_text(text)
    (operation,) = load(file, environment=Environment({})).operations
    return compile_operation(operation)


def pairs_of(request: Request, *, query: bool = False) -> str:
    text = urlsplit(request.url).query if query else request.body.decode()
    return "&".join(f"{name}={value}" for name, value in parse_qsl(text, keep_blank_values=True))


@pytest.mark.parametrize(("nesting", "wanted"), SPELLED, ids=[each[0] or "nothing" for each in SPELLED])
@pytest.mark.parametrize("method", ["POST", "GET", "PUT"])
def test_a_provider_spells_structures_as_it_likes(tmp_path, nesting: str, wanted: str, method: str) -> None:
    send = compiled(
        tmp_path,
        f"method: {method}\nurl: https://a.example/s/$${{To|digits}}/$$Body\n"
        "parameters: {pairs: {m: [{to: 1, v: [a, b]}, {to: 2}]}}\n" + (f"nesting: {nesting}\n" if nesting else ""),
    )
    request = send.render([message(body="x")], batch()).request
    assert request.method == method
    assert pairs_of(request, query=method == "GET") == wanted


def test_nesting_counts_in_the_query_and_in_a_form_inside_json(tmp_path) -> None:
    send = compiled(
        tmp_path,
        "method: POST\nurl: https://a.example/s\nquery: {tag: [a, b]}\nnesting: {lists: repeat}\n"
        "parameters: {json: {form: {$form: {to: [$$To, '+1'], text: $$Body}}}}\n",
    )
    request = send.render([message(body="x")], batch()).request
    assert request.url == "https://a.example/s?tag=a&tag=b"
    assert json.loads(request.body) == {"form": "to=%2B919800000001&to=%2B1&text=x"}


def test_the_same_text_to_many_repeats_the_name_without_brackets(tmp_path) -> None:
    send = compiled(
        tmp_path,
        "method: POST\nurl: https://a.example/s\nnesting: {lists: repeat}\n"
        "parameters: {pairs: {to: [$$To], text: $$Body}}\nbatching: {key: to, records: 9}\n",
    )
    rendered = send.render([message(n, body="x") for n in (1, 2, 3)], batch())
    assert rendered.request.body == b"to=%2B919800000001&to=%2B919800000002&to=%2B919800000003&text=x"


def test_several_keys_number_their_lists_alike(tmp_path) -> None:
    send = compiled(
        tmp_path,
        "method: POST\nurl: https://a.example/s\nnesting: {lists: '1'}\n"
        "parameters: {pairs: {mobile: [$$To], msg: [$$Body]}}\nbatching: {key: [mobile, msg], records: 9}\n",
    )
    rendered = send.render([message(n, body=f"b{n}") for n in (1, 2)], batch())
    assert pairs_of(rendered.request) == "mobile1=+919800000001&mobile2=+919800000002&msg1=b1&msg2=b2"


@pytest.mark.parametrize(
    ("nesting", "name"),
    [("{lists: '1'}", "to2"), ("{maps: .key}", "to.x"), ("{lists: _1}", "to_2"), ("{lists: .1}", "to.2"),
     ("{lists: repeat}", "to[x]"), ("{lists: '1'}", "x9"), ("{maps: '-key'}", "a-b")],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["pairs", "multipart"])
def test_no_variable_of_a_message_is_read_as_a_place_in_a_structure(tmp_path, kind, nesting: str, name: str) -> None:
    send = compiled(
        tmp_path,
        f"method: POST\nurl: https://a.example/s\nnesting: {nesting.replace('.1', repr('.1'))}\n"
        f"parameters: {{{kind}: {{to: [$$To], '...': $$TemplateVariables, t: $$Body}}}}\n",
    )
    rendered = send.render([message(body="x", template_variables={name: "+4412345"})], batch())
    assert rendered.request is None
    assert "a variable's name that pairs cannot hold" in rendered.invalid[0][1].reason
    good = send.render([message(body="x", template_variables={"other": "y"})], batch())
    assert good.request is not None


# ---- records in a query ---------------------------------------------------------------------------------------------

IN_QUERY = """\
method: POST
url: https://a.example/s
query: {key: k, to: $$To, text: $$Body, n: "$${count()}"}
batching: {key: "?to", records: 100}
"""


def test_records_may_stand_in_the_query_of_a_post(tmp_path) -> None:
    send = compiled(tmp_path, IN_QUERY)

    assert send.batch_key(message(1, body="a")) == send.batch_key(message(2, body="a"))
    assert send.batch_key(message(1, body="a")) != send.batch_key(message(2, body="b"))
    rendered = send.render([message(1, body="a"), message(2, body="a")], batch())
    assert rendered.request == Request(
        "POST", "https://a.example/s?key=k&to=%2B919800000001%2C%2B919800000002&text=a&n=2", (), None
    )
    assert send.description == "operation and campaign; $$Body"


def test_records_may_stand_in_the_query_beside_a_body_and_the_url_is_bounded(tmp_path) -> None:
    text = IN_QUERY.replace("to: $$To", "to: [$$To]").replace("POST", "PUT")
    send = compiled(tmp_path, f"{text}parameters: {{json: {{text: $$Body}}}}\nnesting: {{lists: repeat}}\n")

    rendered = send.render([message(n, body="a") for n in range(1000)], batch())
    assert len(rendered.request.url) <= 7500
    assert rendered.sent + rendered.left == list(range(1000))
    assert rendered.request.body == b'{"text":"a"}'
    assert rendered.request.url.count("to=%2B91") == len(rendered.sent) == 100


def test_a_key_of_the_query_may_lead_into_it(tmp_path) -> None:
    text = IN_QUERY.replace("to: $$To", "m: {$json: [{to: $$To}]}").replace("?to", "?m")
    rendered = compiled(tmp_path, text).render([message(1, body="a"), message(2, body="a")], batch())
    pairs = dict(parse_qsl(urlsplit(rendered.request.url).query))
    assert json.loads(pairs["m"]) == [{"to": "+919800000001"}, {"to": "+919800000002"}]


# ---- multipart ------------------------------------------------------------------------------------------------------


def parts_of(request: Request) -> list[tuple[str, bytes]]:
    """As a server reads them, by the standard library."""
    head = "".join(f"{name}: {value}\r\n" for name, value in request.headers)
    read = BytesParser(policy=HTTP).parsebytes(f"{head}\r\n".encode() + request.body)
    assert read.get_content_type() == "multipart/form-data"
    return [
        (part.get_param("name", header="content-disposition"), part.get_payload(decode=True))
        for part in read.iter_parts()
    ]


MULTIPART = """\
method: POST
url: https://a.example/s
parameters:
  multipart:
    to: ["$${To|digits}"]
    text: "$$Body"
    bytes: "$${Body|encode('utf-16-be')}"
    data: {$json: {ref: $$ref}}
batching: {key: to, records: 9}
"""


def test_pairs_may_be_parts_of_a_multipart_body(tmp_path) -> None:
    send = compiled(tmp_path, MULTIPART)
    request = send.render([message(n, body="é\r\n", custom={"ref": 7}) for n in (1, 2)], batch()).request

    assert request.headers == (("Content-Type", f"multipart/form-data; boundary=sms-{batch().id}"),)
    assert request.body.startswith(
        f'--sms-{batch().id}\r\nContent-Disposition: form-data; name="to[0]"\r\n\r\n919800000001\r\n--sms-'.encode()
    )
    assert request.body.endswith(f"\r\n--sms-{batch().id}--\r\n".encode())
    assert parts_of(request) == [
        ("to[0]", b"919800000001"),
        ("to[1]", b"919800000002"),
        ("text", "é\r\n".encode()),
        ("bytes", "é\r\n".encode("utf-16-be")),
        ("data", b'{"ref":7}'),
    ]


@given(body=st.text(st.characters(exclude_categories=["Cs"]), min_size=1), ref=st.text(max_size=20))
def test_no_value_ends_its_part(tmp_path_factory, body: str, ref: str) -> None:
    send = compiled(tmp_path_factory.mktemp("m"), MULTIPART.replace("    bytes:", "    '$$name': x\n    bytes:"))
    rendered = send.render([message(1, body=body, custom={"ref": ref or "r", "name": f'a"{ref}\r\nX: y'})], batch())
    if rendered.request is None:
        return  # a bracket in a name, half of a surrogate pair
    head, _, rest = rendered.request.body.partition(b"\r\n\r\n")
    assert head.count(b"\r\n") == 1
    assert rendered.request.body.count(f"--sms-{batch().id}".encode()) == 6
    assert f"\r\n\r\n{body}\r\n--sms-".encode() in b"\r\n\r\n" + rest


def test_a_value_that_holds_the_boundary_is_refused(tmp_path) -> None:
    send = compiled(tmp_path, MULTIPART)
    rendered = send.render([message(1, body=f"--sms-{batch().id}", custom={"ref": 1})], batch())
    assert rendered.request is None
    assert rendered.invalid[0][1].reason == "a value holds the boundary of the parts"


def test_the_boundary_is_the_batchs_own(tmp_path) -> None:
    send = compiled(tmp_path, MULTIPART)
    other = Batch(id="f" * 32, now=0.0)
    request = send.render([message(1, body="x", custom={"ref": 1})], other).request
    assert f"boundary=sms-{'f' * 32}" in request.headers[0][1]


# ---- a batch says what its messages say -----------------------------------------------------------------------------


@given(
    bodies=st.lists(st.text(st.characters(codec="gb18030"), min_size=1, max_size=9), min_size=1, max_size=6),
    nesting=st.sampled_from(["{lists: repeat}", "{lists: '.1', maps: .key}", "{lists: '[0]'}", "{lists: '1'}"]),
    kind=st.sampled_from(["pairs", "multipart"]),
)
def test_a_batch_holds_what_the_requests_of_its_messages_hold(tmp_path_factory, bodies, nesting, kind) -> None:
    folder = tmp_path_factory.mktemp("b")
    text = (
        f"method: POST\nurl: https://a.example/s\nnesting: {nesting}\n"
        f"parameters: {{{kind}: {{to: [$$To], text: [\"$${{Body|encode('gb18030')}}\"]}}}}\n"
    )
    batched, single = compiled(folder, f"{text}batching: {{key: [to, text], records: 9}}\n"), compiled(folder, text)
    sent = [message(n, body=body) for n, body in enumerate(bodies)]

    def values(request: Request, name: str) -> list[bytes]:
        if kind == "multipart":
            found = parts_of(request)
        else:
            listed = parse_qsl(request.body.decode(), encoding="latin-1", keep_blank_values=True)
            found = [(key, value.encode("latin-1")) for key, value in listed]
        return [value for key, value in found if key.startswith(name)]

    together = batched.render(sent, batch()).request
    alone = [single.render([each], batch()).request for each in sent]
    for name in ("to", "text"):
        assert values(together, name) == [value for request in alone for value in values(request, name)]
