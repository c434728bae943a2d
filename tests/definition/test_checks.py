# ruff: noqa: E501 - a table is read across
"""Every check: a sound definition, changed in one place, is refused with line, column, path and remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.config_text.environment import Environment

from .write import EMPTY, SOUND, problems_of

# SOUND, line by line:
#  1 method   2 url   3 parameters:   4   json:   5     sender   6     msgs:   7       - {to, text}
#  8 batching   9 response:   10   rules:   11     - {200, entries}   12   entries:   13     - {each, match, then}
URL = "https://sms.example.com/send"
RULE = "- {status: 200, then: entries}"
ENTRY = "- {each: results, match: {To: to}, then: accept}"
RECORD = "{to: $$To, text: $$Body}"
BATCHING = "{key: msgs, records: 100}"


def token_url(url: str) -> str:
    return f"auth: {{oauth2: {{url: '{url}', client_id: a, secret: '${{S:-x}}'}}}}\nmethod: POST"


# (what is replaced, what stands there instead, where, a part of the message and of the remedy)
ERRORS = [
    # shapes of what is sent
    ("method: POST", "nesting: {lists: 2}\nmethod: POST", "1:18: nesting.lists", "`2` numbers no elements; write what stands behind the name for the first element: [0], .1, _1, or repeat, []"),
    ("method: POST", "nesting: {lists: '&0'}\nmethod: POST", "1:18: nesting.lists", "numbers no elements"),
    ("method: POST", "nesting: {lists: repeats}\nmethod: POST", "1:18: nesting.lists", "numbers no elements"),
    ("method: POST", "nesting: {maps: '.'}\nmethod: POST", "1:17: nesting.maps", "`.` names no members; write what stands behind the name for a member called key: [key] or .key"),
    ("method: POST", "nesting: {maps: key}\nmethod: POST", "1:17: nesting.maps", "names no members"),
    ("method: POST", "nesting: {map: '.key'}\nmethod: POST", "1:11: nesting.map", "did you mean `maps`?"),
    (BATCHING, "{key: '?to', records: 5}", "8:17: batching.key", "`?to` names nothing in the query; it holds: nothing"),
    (BATCHING, "{key: ['?a', msgs], records: 5}\nquery: {a: $$hid}", "8:17: batching.key", "records stand in the query and in the body; name keys of one of them"),
    (BATCHING, "{key: '?', records: 5}", "8:17: batching.key", "`?` is no path"),
    (BATCHING, "{key: '?a[', records: 5}", "8:17: batching.key", "`?a[` is no path"),
    ("sender: ACME", "sender: {$base64: {a: 1}}", "5:23: parameters.json.sender.$base64", "`$base64` takes a text; write one, or {$json: …}, {$form: …}, {$xml: …}"),
    ("sender: ACME", "sender: {$base64: [a]}", "5:23: parameters.json.sender.$base64", "`$base64` takes a text"),
    ("sender: ACME", "sender: {$bas64: a, $json: b}", "5:25: parameters.json.sender.$json", "`$json` has neighbours"),
    # charsets, bytes, the text itself
    ("sender: ACME", "sender: $${hid|encode('latin-1')}", "5:13: parameters.json.sender", "`encode` gives bytes, which JSON cannot hold; write `hex` or `base64` behind it"),
    ("sender: ACME", "sender: {$xml: {a: \"$${hid|encode('latin-1')}\"}}", "5:24: parameters.json.sender.$xml.a", "which XML cannot hold"),
    ("method: POST", "headers: {X-A: \"$${hid|encode('latin-1')}\"}\nmethod: POST", "1:16: headers.X-A", "which a header cannot hold"),
    ("sender: ACME", "sender: $${hid|encode('latin1x')}", "5:13: parameters.json.sender", "the charset 'latin1x' is not known; known are 'utf-8'"),
    ("sender: ACME", "sender: $${hid|append(${SMS_NONE})}", "5:13: parameters.json.sender", "the environment variable SMS_NONE is not set; set it"),
    ("sender: ACME", "sender: $${hid|append(${SMS_NONE?})}", "5:13: parameters.json.sender", "this cannot be optional; write ${NAME}"),
    ("sender: ACME", "sender: $${${file:/no/such/file}|md5}", "5:13: parameters.json.sender", "the file /no/such/file"),
    ("method: POST", "headers: {Content-Type: application/json; charset=klingon}\nmethod: POST", "1:25: headers.Content-Type", "the charset 'klingon' is not known"),
    ("method: POST", "headers: {content-type: application/json; charset=gsm}\nmethod: POST", "1:25: headers.content-type", "write encode('gsm') where the text stands"),
    (RECORD, "{to: $$To, text: '$${Body|md5}'}", "4:3: parameters", "neither `$$Body` nor `$$TemplateID` is there; put one where the provider expects it; `content: NAME` says"),
    (RECORD, "{to: $$To, text: '$${Body|gsm(0, 8)}'}", "4:3: parameters", "neither `$$Body` nor `$$TemplateID`"),
    (RECORD, "{to: $$To, text: '$${hid|hmac(Body)}'}", "4:3: parameters", "neither `$$Body` nor `$$TemplateID`"),
    (RECORD, "{to: '$${To|sha256}', text: $$Body}", "4:3: parameters", "`$$To` is missing"),
    ("method: POST", "content: hextext\nmethod: POST", "1:10: content", "no request sends `$$hextext`; put $$hextext where the provider expects the text"),
    ("method: POST", "content: Body\nmethod: POST", "1:10: content", "`Body` is no custom value; leave it out"),
    ("method: POST", "content: $$hextext\nmethod: POST", "1:10: content", "a replacement cannot stand here"),
    # others, totals, ranges
    (ENTRY, "- {match: others, then: accept}", "13:15: response.entries[0].match", "no entry before it names a message; write `then` into the rule"),
    (ENTRY, f"{ENTRY}\n    - {{match: others, then: accept}}\n    {ENTRY}", "14:15: response.entries[1].match", "leaves no message for the entries after it; put it last"),
    (ENTRY, f"{ENTRY}\n    - {{match: others, then: accept, id: x}}", "14:37: response.entries[1].id", "`id` beside `match: others`, which no entry is read for; an id that all share is the rule's `id`"),
    (ENTRY, f"{ENTRY}\n    - {{match: others, then: accept, each: x}}", "14:37: response.entries[1].each", "give the entries that stand there a source of their own"),
    (ENTRY, f"{ENTRY}\n    - {{match: others, rules: []}}", "14:23: response.entries[1].rules", "write `then`: it is one outcome for all of them"),
    (ENTRY, f"{ENTRY}\n    - {{match: others}}", "14:7: response.entries[1]", "nothing says what these entries mean"),
    (ENTRY, f"{ENTRY}\n    - {{match: other, then: accept}}", "14:15: response.entries[1].match", "rest, others, or index"),
    (ENTRY, "- {match: index, range: {first: a}, then: accept}", "13:29: response.entries[0].range", "nothing says where the ids end; write exactly one of `last` and `count`"),
    (ENTRY, "- {match: index, range: {first: a, last: b, count: c}, then: accept}", "13:29: response.entries[0].range", "write exactly one of `last` and `count`"),
    (ENTRY, "- {match: index, range: {first: a, lst: b}, then: accept}", "13:40: response.entries[0].range.lst", "did you mean `last`?"),
    (ENTRY, "- {match: rest, range: {first: a, last: b}, then: accept}", "13:21: response.entries[0].range", "its ids go to messages by their order; write match: index"),
    (ENTRY, "- {match: index, range: {first: a, last: b}, id: c, then: accept}", "13:50: response.entries[0].id", "`id` beside `range`"),
    (ENTRY, "- {match: index, text: 'a(?P<a>.)', range: {first: a, last: b}, then: accept}", "13:65: response.entries[0].range.last", "has no group named `b`"),
    (RULE, "- {text: 'OK (?P<n>.)', then: accept, count: m}\n    - {status: 200, then: entries}", "11:50: response.rules[0].count", "has no group named `m`"),
    (RULE, "- {status: 200, then: entries, count: 'a['}", "11:43: response.rules[0].count", "`a[`"),
    (f"  rules:\n    {RULE}\n  entries:\n    {ENTRY}", "  decode: none\n  rules:\n    - {status: 201, then: accept, count: n}", "12:42: response.rules[0].count", "`count` reads a document"),
    ("  rules:\n", "  charset: klingon\n  rules:\n", "10:12: response.charset", "the charset 'klingon' is not known; known are 'utf-8'"),
    ("  rules:\n", "  charset: gsm\n  rules:\n", "10:12: response.charset", "GSM 03.38 is no charset of HTTP"),
    # accepted in spite of a failure
    (RULE, f"- {{status: 4xx, then: accept}}\n    {RULE}", "11:16: response.rules[0].status", "`accept` with status 4xx: that holds statuses of failure (401, 500); write 2xx; a status beyond it that means success is named by itself"),
    (RULE, f"- {{status: 200-599, then: accept}}\n    {RULE}", "11:16: response.rules[0].status", "`accept` with status 200-599"),
    (RULE, f"- {{status: [200, 500-502], when: a == '1', then: accept}}\n    {RULE}", "11:16: response.rules[0].status", "`accept` with status 500-502"),
    (BATCHING, "{key: 'to[]', records: 5}", "8:17: batching.key", "`to[]` is no path; a name with marks in it stands in double quotes: '\"to[]\"'"),
    (BATCHING, "{key: '?to[]', records: 5}", "8:17: batching.key", "'?\"to[]\"'"),
    # shape
    ("method: POST", "methd: POST", "1:1: methd", "not known; did you mean `method`?"),
    ("method: POST", "Method: POST", "1:1: Method", "did you mean `method`?"),
    ("method: POST", "zzz: 1\nmethod: POST", "1:1: zzz", "the key `zzz` is not known; known: name, about"),
    ("method: POST", "json: {}\nmethod: POST", "1:1: json", "write it under `parameters`"),
    ("method: POST", "when: to\nmethod: POST", "1:1: when", "it belongs to an operation"),
    ("method: POST", "method: DELETE", "1:9: method", "`DELETE` cannot stand here; write one of: GET, POST, PUT, PATCH"),
    ("method: POST", "method: post", "1:9: method", "did you mean `POST`?"),
    ("method: POST", "method: [POST]", "1:9: method", "a list cannot stand here"),
    ("method: POST\n", "", "1:1", "the key `method` is missing; write method: POST"),
    (f"url: {URL}\n", "", "1:1", "the key `url` is missing"),
    ("method: POST", "name: 'a b'\nmethod: POST", "1:7: name", "`a b` cannot stand here; write letters, digits"),
    ("  json:\n", "  jsn:\n", "4:3: parameters.jsn", "did you mean `json`?"),
    ("  json:\n", "  text: $$To\n  json:\n", "4:3: parameters", "2 of pairs, multipart, json, xml, text stand here; write exactly one"),
    ("method: POST", "auth: basic\nmethod: POST", "1:7: auth", "a text cannot stand here; write one of: none, basic"),
    ("method: POST", "auth: {basic: {username: u}}\nmethod: POST", "1:15: auth.basic", "the key `password` is missing"),
    ("method: POST", "auth: {basic: {username: $$To, password: '${P:-x}'}}\nmethod: POST", "1:26: auth.basic.username", "a replacement cannot stand here"),
    ("method: POST", "auth: {oauth2: {url: 'ftp://x', client_id: a, secret: '${S:-x}'}}\nmethod: POST", "1:22: auth.oauth2.url", "write https://"),
    ("method: POST", token_url("https:///t"), "1:22: auth.oauth2.url", "`` is no host"),
    ("method: POST", token_url("https://a:99999/t"), "1:22: auth.oauth2.url", "99999 is no port"),
    ("method: POST", token_url("https://u:p@a/t"), "1:22: auth.oauth2.url", "credentials stand in the URL"),
    ("method: POST", token_url("https://a/t#b"), "1:22: auth.oauth2.url", "a character that cannot stand in a URL"),
    ("method: POST", token_url("https://bücher.example/t"), "1:22: auth.oauth2.url", "a character that cannot stand in a URL"),
    ("method: POST", "headers: [a]\nmethod: POST", "1:10: headers", "a list where a map belongs"),
    ("method: POST", "headers: {a: {b: 1}}\nmethod: POST", "1:14: headers.a", "a map where a text belongs"),
    ("sender: ACME", "sender: 040", "5:13: parameters.json.sender", 'quote it: "040"'),
    ("sender: ACME", "sender: 9007199254740993", "5:13: parameters.json.sender", "over 2^53); quote it: \"9007199254740993\"; in a definition $${'9007199254740993'|int} sends the number"),
    ("sender: ACME", "sender: a\n    sender: b", "6:5: parameters.json.sender", "stands here twice; it stands in line 5"),
    ("sender: ACME", "sender: $${nope", "5:13: parameters.json.sender", "`$${` is not closed"),
    ("sender: ACME", "sender: $$to", "5:13: parameters.json.sender", "only in case; write $$To"),
    ("sender: ACME", "sender: $${Body|trunc(3)}", "5:13: parameters.json.sender", "did you mean `truncate`?"),
    ("sender: ACME", "sender: 'pay $$5'", "5:13: parameters.json.sender", "write $$$$ for a literal $$"),
    ("sender: ACME", "sender: {$json: {a: 1}, b: 2}", "5:14: parameters.json.sender.$json", "has neighbours"),
    ("sender: ACME", "sender: {$JSON: {a: 1}}", "5:14: parameters.json.sender.$JSON", "did you mean `$json`?"),
    ("sender: ACME", "sender: {$form: 1}", "5:21: parameters.json.sender.$form", "`$form` takes a map"),
    ("sender: ACME", "'...': abc", '5:12: parameters.json."..."', "spreads one replacement"),
    ("method: POST", "receipt: {}\nmethod: POST", "1:1: receipt", "did you mean `receipts`?"),
    # references
    ("sender: ACME", "sender: ${SENDER}", "5:13: parameters.json.sender", "SENDER is not set; set it, or write ${SENDER:-default}"),
    (URL, "https://a/${X}/${Y?}", "2:6: url", "X is not set"),
    ("sender: ACME", "sender: ${a b}", "5:13: parameters.json.sender", "is not understood"),
    # recipient and content
    ("to: $$To, text: $$Body", "to: x, text: $$Body", "4:3: parameters", "`$$To` is missing"),
    ("to: $$To, text: $$Body", "to: $$To, text: x", "4:3: parameters", "neither `$$Body` nor `$$TemplateID`"),
    ("text: $$Body", 'type: "$${Body|gsm(0, 8)}"', "4:3: parameters", "neither `$$Body` nor `$$TemplateID`"),
    # URL and headers
    (URL, "sms.example.com/send", "2:6: url", "not an absolute URL; write https://host/path"),
    (URL, "ftp://a/b", "2:6: url", "not an absolute URL"),
    (URL, "https://$$host/x", "2:6: url", "a replacement stands in scheme or host"),
    (URL, "https://a$$host", "2:6: url", "a replacement stands in scheme or host"),
    (URL, "$$host", "2:6: url", "a replacement stands in scheme or host"),
    (URL, "https://u:p@a/b", "2:6: url", "credentials stand in the URL; write them under `auth"),
    (URL, "https://a b/c", "2:6: url", "`a b` is no host"),
    (URL, "https:///c", "2:6: url", "`` is no host"),
    (URL, "https://a:0/c", "2:6: url", "0 is no port; write one from 1 to 65535"),
    (URL, "https://a:65536/c", "2:6: url", "65536 is no port"),
    (URL, "https://[2606:4700::1]:99999/c", "2:6: url", "99999 is no port"),
    (URL, "https://a..b/c", "2:6: url", "`a..b` is no host"),
    (URL, "https://.../c", "2:6: url", "`...` is no host"),
    (URL, f"https://{'a' * 64}.com/c", "2:6: url", ".com` is no host"),
    (URL, "'https://a/b#c'", "2:6: url", "no #fragment"),
    (URL, "https://a/b c", "2:6: url", "percent-encode it"),
    (URL, "https://a/é", "2:6: url", "percent-encode it"),
    ("method: POST", "method: GET", "5:5: parameters.json", "a GET has no json body"),
    ("method: POST", "headers: {'a b': 1}\nmethod: POST", '1:18: headers."a b"', "is no name of a header"),
    ("method: POST", "headers: {HOST: 1}\nmethod: POST", "1:17: headers.HOST", "the client writes `HOST` itself"),
    ("method: POST", "headers: {A: 1, a: 2}\nmethod: POST", "1:20: headers.a", "stands here twice; case does not count"),
    ("method: POST", "headers: {$$uid: 1}\nmethod: POST", "1:10: headers", "in a header's name"),
    ("method: POST", 'headers: {A: "x\\ny"}\nmethod: POST', "1:14: headers.A", "a line break or control character"),
    ("method: POST", "headers: {authorization: '${X?}y'}\nauth: {basic: {username: u, password: '${P:-x}'}}\nmethod: POST", "1:26: headers.authorization", "`auth` writes this header as well"),
    # batching
    (BATCHING, "{key: msgs, records: 1001}", "8:32: batching.records", "1001 cannot stand here; write a whole number from 1 to 1,000"),
    (BATCHING, "{key: msgs, records: 0}", "8:32: batching.records", "from 1 to 1,000"),
    (BATCHING, "{key: msgs, records: {min: 5, max: 2}}", "8:32: batching.records", "min 5 is above max 2"),
    (BATCHING, "{key: msgs, records: {min: 5}}", "8:32: batching.records", "the key `max` is missing"),
    (BATCHING, "{key: msgs, records: {max: 5, mim: 2}}", "8:41: batching.records.mim", "known: min, max"),
    (BATCHING, "{key: msgs}", "8:11: batching", "the key `records` is missing"),
    (BATCHING, "{records: 5}", "8:11: batching", "the key `key` is missing"),
    (BATCHING, "{key: msg, records: 5}", "8:17: batching.key", "`msg` names nothing in the parameters; they hold: sender, msgs"),
    (BATCHING, "{key: sender, records: 5}", "8:17: batching.key", "`$$To` does not stand in a batching key"),
    (BATCHING, "{key: 'msgs[', records: 5}", "8:17: batching.key", "`msgs[` is no path"),
    (BATCHING, "{key: ['.', msgs], records: 5}", "8:17: batching.key", "`msgs` stands inside another key"),
    (BATCHING, "{key: [msgs, msgs], records: 5}", "8:17: batching.key", "named twice"),
    (BATCHING, "{key: msgs, records: 5, wait: 10}", "8:41: batching.wait", "write a number and a unit"),
    (BATCHING, "{key: msgs, records: 5, wait: 10m}", "8:41: batching.wait", "out of range; write up to 5m"),
    (BATCHING, "{key: msgs, records: 5, bytes: 5}", "8:42: batching.bytes", "from 100 to"),
    (BATCHING, "{key: msgs, records: 5, bytes: 5GB}", "8:42: batching.bytes", "write a number and a unit"),
    (BATCHING, "{key: msgs, records: {min: 2, max: 5}}", "8:32: batching.records", "a window that closes below 2 records has no operation to go to"),
    ("sender: ACME", "id: $${message_id()}", "5:9: parameters.json.id", "`message_id()` stands outside the batching key"),
    ("sender: ACME", "id: $$MessageID", "5:9: parameters.json.id", "`$$MessageID` stands outside the batching key"),
    ("sender: ACME", "id: $${hid|default(MessageID)}", "5:9: parameters.json.id", "`$$MessageID` stands outside"),
    (URL, "https://a/$$MessageID", "2:6: url", "`$$MessageID` stands outside"),
    ("method: POST", "headers: {X-Id: $$MessageID}\nmethod: POST", "1:17: headers.X-Id", "`$$MessageID` stands outside"),
    ("sender: ACME", "id: $${index()}", "5:9: parameters.json.id", "`index()` stands outside"),
    ("sender: ACME", "id: $${seq()}", "5:9: parameters.json.id", "`seq()` stands outside"),
    ("sender: ACME", "id: $${hid|default(To)}", "5:9: parameters.json.id", "`$$To` stands outside"),
    (URL, "https://a/$${To|digits}", "2:6: url", "`$$To` stands outside"),
    ("method: POST", "headers: {X-Id: '$${message_id()}'}\nmethod: POST", "1:17: headers.X-Id", "`message_id()` stands outside"),
    # replies
    (RULE, "- {status: 99, then: entries}", "11:16: response.rules[0].status", "`99` is no HTTP status; write 200, 4xx"),
    (RULE, "- {status: [600], then: entries}", "11:17: response.rules[0].status[0]", "is no HTTP status"),
    (RULE, "- {status: 300-200, then: entries}", "11:16: response.rules[0].status", "is no HTTP status"),
    (RULE, "- {status: 200, then: entrys}", "11:27: response.rules[0].then", "did you mean `entries`?"),
    (RULE, "- {status: 200}", "11:7: response.rules[0]", "the key `then` is missing"),
    (RULE, f"{RULE}\n    - {{when: 'a =', then: reject}}", "12:14: response.rules[1].when", "`a =` is no JMESPath expression at character 3"),
    (RULE, f"{RULE}\n    - {{when: 'nope(a)', then: reject}}", "12:14: response.rules[1].when", "the JMESPath function `nope` is not known"),
    (RULE, f"{RULE}\n    - {{when: 'start_with(a, `1`)', then: reject}}", "12:14: response.rules[1].when", "did you mean `starts_with`?"),
    (RULE, f"{RULE}\n    - {{when: 'a == `b`', then: reject}}", "12:14: response.rules[1].when", "has no JSON in its backticks; write texts in '…'"),
    (RULE, f"{RULE}\n    - {{text: '(', then: reject}}", "12:14: response.rules[1].text", "the regular expression `(` has a ( that is not closed; close it"),
    (RULE, f"{RULE}\n    - {{text: '(?P<a>.)', then: reject, code: b}}", "12:46: response.rules[1].code", "`text` has no group named `b`; write (?P<b>…) in it; it has: a"),
    (RULE, f"{RULE}\n    - {{header: {{Location: '/(?P<a>.)'}}, then: accept, id: b}}", "12:59: response.rules[1].id", "`header` has no group named `b`; write (?P<b>…) in it; it has: a"),
    (RULE, f"{RULE}\n    - {{status: 503, then: defer}}", "12:7: response.rules[1]", "`defer` without `until`"),
    (RULE, f"{RULE}\n    - {{status: 503, then: retry, until: 09:00 UTC}}", "12:34: response.rules[1].until", "`until` belongs to `defer`"),
    (RULE, f"{RULE}\n    - {{status: 503, then: defer, until: 09:00 Mars/X}}", "12:41: response.rules[1].until", "is no time with a zone"),
    (RULE, f"{RULE}\n    - {{status: 503, then: defer, until: 24:00 UTC}}", "12:41: response.rules[1].until", "is no time with a zone"),
    (RULE, f"{RULE}\n    - {{status: 503, then: retry, after: 5q}}", "12:41: response.rules[1].after", "is no JMESPath expression"),
    (RULE, f"{RULE}\n    - {{header: x, then: retry}}", "12:16: response.rules[1].header", "a text where a map belongs"),
    (f"  entries:\n    {ENTRY}\n", "", "11:27: response.rules[0].then", "`then: entries` without `entries`"),
    (ENTRY, "- {match: {To: to}, then: accept}", "13:7: response.entries[0]", "exactly one of `each` and `text`"),
    (ENTRY, "- {each: a, text: b, match: {To: to}, then: accept}", "13:7: response.entries[0]", "exactly one of `each` and `text`"),
    (ENTRY, "- {each: a, then: accept}", "13:7: response.entries[0]", "the key `match` is missing"),
    (ENTRY, "- {each: a, match: {To: to}}", "13:7: response.entries[0]", "nothing says what these entries mean"),
    (ENTRY, "- {each: a, match: {To: to}, then: split}", "13:40: response.entries[0].then", "`split` cannot stand here"),
    (ENTRY, "- {each: a, match: {To: to}, rules: [{status: 1, then: accept}]}", "13:43: response.entries[0].rules[0].status", "the key `status` is not known"),
    (ENTRY, "- {each: a, match: reste, then: accept}", "13:24: response.entries[0].match", "`reste` cannot stand here"),
    (ENTRY, "- {each: a, match: {$$To: to}, then: accept}", "13:25: response.entries[0].match.$$To", "write the bare expression"),
    (ENTRY, "- {each: a, match: {To|dgts: to}, then: accept}", "13:25: response.entries[0].match.To|dgts", "did you mean `digits`?"),
    (ENTRY, "- {each: a, match: {message_id()|hash32: x}, then: accept}", "13:25: response.entries[0].match.message_id()|hash32", "would change the reply's value once more"),
    (ENTRY, "- {each: a, match: {batch_id(): x}, then: accept}", "13:24: response.entries[0].match", "the same for all messages of a batch"),
    (ENTRY, "- {each: a, match: {CampaignID: x}, then: accept}", "13:24: response.entries[0].match", "the same for all messages of a batch"),
    ("  rules:", "  decode: none\n  rules:", "14:14: response.entries[0].each", "`decode: none` makes none"),
    ("  rules:", "  decode: yaml\n  rules:", "10:11: response.decode", "write one of: json, xml, none"),
    # the whole
    ("method: POST", "limits: {requests: 3}\nmethod: POST", "1:20: limits.requests", "`3` is no rate; write an amount and a time"),
    ("method: POST", "limits: {requests: 0/s}\nmethod: POST", "1:20: limits.requests", "is no rate"),
    ("method: POST", "limits: {concurrency: 1001}\nmethod: POST", "1:23: limits.concurrency", "from 1 to 1,000"),
    ("method: POST", "limits: {concurrency: true}\nmethod: POST", "1:23: limits.concurrency", "from 1 to 1,000"),
    ("method: POST", "retry: {base: 10s, cap: 1s}\nmethod: POST", "1:25: retry.cap", "`cap` is below `base`"),
    ("method: POST", "http: {total: 1d}\nmethod: POST", "1:15: http.total", "out of range; write 100ms to 10m"),
    ("method: POST", "http: {verify: 'no'}\nmethod: POST", "1:16: http.verify", "write true or false"),
    ("method: POST", "http: {key: k}\nmethod: POST", "1:13: http.key", "a key without `certificate`"),
    ("method: POST", "hours: 9-5\nmethod: POST", "1:8: hours", "write two times and a zone: 09:00-21:00 Asia/Kolkata"),
    ("method: POST", "hours: 09:00-09:00 UTC\nmethod: POST", "1:8: hours", "write two times and a zone"),
    ("method: POST", "hours: 09:00-21:00 Mars/X\nmethod: POST", "1:8: hours", "write two times and a zone"),
    ("method: POST", "failover: acme\nmethod: POST", "1:11: failover", "it fails over to itself"),
    ("method: POST", "operations: []\nmethod: POST", "1:13: operations", "a list of at least one"),
    ("method: POST", "operations: [1]\nmethod: POST", "1:14: operations[0]", "an operation is a map"),
    ("method: POST", "operations: [{limits: {}}]\nmethod: POST", "1:15: operations[0].limits", "move it to the top level"),
    ("method: POST", "operations: [{when: templateId}]\nmethod: POST", "1:21: operations[0].when", "a message has no field `templateId`; did you mean `template_id`?"),
    ("method: POST", "operations: [{when: route == 'x'}]\nmethod: POST", "1:21: operations[0].when", "custom values are custom.route"),
    ("method: POST", "operations: [{when: digits(to)}]\nmethod: POST", "1:21: operations[0].when", "`digits` is not known"),
    ("method: POST", "operations: [{name: a, when: to}, {name: a}]\nmethod: POST", "1:42: operations[1].name", "two operations are called `a`"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "place", "message"), ERRORS, ids=[f"{row[2]}-{n}" for n, row in enumerate(ERRORS)]
)
def test_a_mistake_is_the_only_error_and_says_where_and_what_to_write(
    tmp_path: Path, old: str, new: str, place: str, message: str
) -> None:
    assert SOUND.count(old) == 1
    errors, _ = problems_of(tmp_path, SOUND.replace(old, new), environment=EMPTY)
    assert len(errors) == 1
    assert errors[0].startswith(f"acme.yaml:{place}: ")
    assert message in errors[0]


# Conditions of a rule that accepts: what says nothing of success, what says it somewhere, what says it of some.
WEAK = (
    "status != 'error'",
    "!(status == 'error')",
    "error == `null`",
    "ok == '1' || code != '7'",
)
LOOSE = ("contains(message, 'success')", "contains(a.b, 'OK') && code != '7'", "ok == '1' || contains(message, 'sent')")
SOME = (
    "length(ids) > `0`",
    "length(ids) >= `1`",
    "results[0].status == 'ok'",
    "length(a[?b == 'c']) > `0`",
    "contains(a[].b, 'c')",
    "ok == '1' && length(ids) != `0`",
)

WARNINGS = [
    (RECORD, "{to: $$To, coding: '$${Body|gsm(0, 8)}', text: \"$${Body|hex('utf-16-be')|upper}\"}", "7:56: parameters.json.msgs[0].text", "every text is written in utf-16-be, also those for which `gsm` says otherwise elsewhere; write $${Body|gsm(Body, Body|hex('utf-16-be'))}"),
    (f"response:\n  rules:\n    {RULE}\n  entries:\n    {ENTRY}\n", "", "1:1", "`response` is missing, so every 2xx counts as accepted, whatever it says; write what a reply of success says"),
    ("method: POST", "headers: {Content-Type: application/x-www-form-urlencoded}\nmethod: POST", "1:25: headers.Content-Type", "the header says application/x-www-form-urlencoded, and the body is JSON"),
    (ENTRY, f"{ENTRY}\n    - {{match: others, then: accept}}", "11:7: response.rules[0]", "any reply with this status means that all others are `accept`; say what the reply says as well"),
    (URL, "http://sms.example.com/send", "2:6: url", "unencrypted"),
    (URL, f"{URL}?t=$$Body\nheaders: {{Content-Type: application/json; charset=windows-1251}}", "2:6: url", "this stands in the URL, which is written in UTF-8: windows-1251 of the Content-Type is the body's; write encode('windows-1251') behind it"),
    (URL, f"{URL}\nquery: {{t: $$Body}}\nheaders: {{Content-Type: application/json; charset=windows-1251}}", "3:12: query.t", "this stands in the URL"),
    (RULE, f"{RULE}\n    - {{when: error, then: reject}}", "12:14: response.rules[1].when", "asks only whether a field is there"),
    (RULE, f"{RULE}\n    - {{when: '!ok && a == `1`', then: reject}}", "12:14: response.rules[1].when", "asks only whether"),
    (RULE, f"{RULE}\n    - {{status: 200, when: a == '1', then: reject}}", "12:7: response.rules[1]", "never met: response.rules[0] always holds first"),
    (RULE, "- {then: entries}\n    - {status: 500, then: retry}", "12:7: response.rules[1]", "never met"),
    (RULE, "- {status: 2xx, then: entries}\n    - {status: [200, 202], then: retry}", "12:7: response.rules[1]", "never met"),
    (RULE, "- {status: 200, then: accept}", "13:5: response.entries", "no rule says `then: entries`: these are never read"),
    (ENTRY, "- {each: a, match: {message_id(): x}, then: accept}", "13:24: response.entries[0].match", "`message_id` is compared with replies, but no request sends it"),
    ("method: POST", "headers: {authkey: abcdef123}\nmethod: POST", "1:20: headers.authkey", "write ${AUTHKEY}"),
    ("method: POST", "headers: {X-Api-Key: abcdef123}\nmethod: POST", "1:22: headers.X-Api-Key", "write ${X_API_KEY}"),
    ("method: POST", "auth: {basic: {username: u, password: hunter22}}\nmethod: POST", "1:39: auth.basic.password", "looks like a secret"),
    ("sender: ACME", "APIKey: abcdef123", "5:13: parameters.json.APIKey", "looks like a secret"),
    ("method: POST", "query: {token: abcdef123}\nmethod: POST", "1:16: query.token", "looks like a secret"),
    *((RULE, f'{RULE}\n    - {{status: 201, when: "{when}", then: accept}}', "12:27: response.rules[1].when", "this accepts whatever does not say so: `{}`, `[]`, and a failure in other words; ask for what success says") for when in WEAK),
    *((RULE, f'{RULE}\n    - {{status: 201, when: "{when}", then: accept}}', "12:27: response.rules[1].when", "is found anywhere in a text") for when in LOOSE),
    *((RULE, f"{RULE}\n    - {{status: 201, text: '{text}', then: accept}}", "12:27: response.rules[1].text", "is found anywhere in a reply") for text in (r"OK", r"(?i)success", r"\bOK\b", r"OK|SENT", r"(?P<ok>OK)", "1701")),
    *((RULE, f'{RULE}\n    - {{status: 201, when: "{when}", then: accept}}', "12:27: response.rules[1].when", "accepts the whole batch; write `then: entries`") for when in SOME),
    (RULE, f"{RULE}\n    - {{status: 201, header: {{Content-Type: json}}, then: accept}}", "12:29: response.rules[1].header", "this header says what form a reply has"),
    (ENTRY, "- {each: a, match: {To: to}, rules: [{when: state != 'failed', then: accept}]}", "13:49: response.entries[0].rules[0].when", "this accepts whatever does not say so"),
    (RULE, "- {status: 200, then: accept}\n    - {when: code == '1', then: reject}\n    - {status: 201, then: entries}", "12:7: response.rules[1]", "response.rules[0] accepts every reply with 200 before this rule is asked; put this one first, or say with which `status` it comes"),
    (RULE, "- {then: accept}\n    - {text: 'no (credit|money)', then: pause}\n    - {status: 301, then: entries}", "12:7: response.rules[1]", "response.rules[0] accepts every reply with 2xx"),
    (f"{RULE}\n  entries:\n    {ENTRY}", f"- {{when: ok == '1', then: entries}}\n  entries:\n    {ENTRY}\n    - {{match: others, then: accept}}", "14:7: response.entries[1]", "whatever response.entries[0] does not find is accepted: a list under another name, a line written otherwise; say where the reply counts them (count: accepted), or let the rule ask for the list: when: \"status == 'ok' && results != `null`\""),
    (f"{RULE}\n  entries:\n    {ENTRY}", "- {text: '^(sent|[0-9])', then: entries}\n  entries:\n    - {text: '(?m)^(?P<to>[0-9]+);FAIL$', match: {To: to}, then: reject}\n    - {match: others, then: accept}", "14:7: response.entries[1]", "let the rule's `text` describe the whole reply (^…$)"),
    *((RECORD, f'{{to: "$${{{to}}}", text: $$Body}}', "7:14: parameters.json.msgs[0].to", "may leave another country's number as one of strangers: nothing says whose country code is gone; write $${To|national(91)}") for to in ("To|last(10)", "To|digits|last(10)", "To|truncate(10)", "To|replace('+91', '')", "To|replace('+91', '0')|digits")),
    ("method: POST", "operations: [{name: a}, {name: b}]\nmethod: POST", "1:14: operations[0]", "`a` takes every message"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "place", "message"), WARNINGS, ids=[f"{row[2]}-{n}" for n, row in enumerate(WARNINGS)]
)
def test_what_looks_like_a_slip_is_a_warning(tmp_path: Path, old: str, new: str, place: str, message: str) -> None:
    assert SOUND.count(old) == 1
    errors, warnings = problems_of(tmp_path, SOUND.replace(old, new), environment=EMPTY)
    assert (errors, len(warnings)) == ([], 1)
    assert warnings[0].startswith(f"acme.yaml:{place}: ")
    assert message in warnings[0]


def test_a_bare_not_is_weak_and_asks_only_whether_a_field_is_there(tmp_path: Path) -> None:
    _, warnings = problems_of(
        tmp_path, SOUND.replace(RULE, f"{RULE}\n    - {{status: 201, when: '!error', then: accept}}")
    )
    assert len(warnings) == 2
    assert any("this accepts whatever does not say so" in each for each in warnings)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("method: POST", "method: POST"),
        (URL, "http://localhost:8080/x"),
        (URL, "http://127.0.0.1/x\nhttp: {private_hosts: true}"),
        (URL, "https://[::1]:8443/x\nhttp: {private_hosts: true}"),
        (URL, "https://93.184.216.34/x\nhttp: {proxy: 'http://10.0.0.1:3128'}"),
        (URL, "https://a/?to=$$hid&x=%23"),
        ("sender: ACME", "id: $${batch_id()|hash32}"),
        ("sender: ACME", "auth_scheme: plain-text\n    tokenise: abcdefgh\n    key: '${K:-abcdefgh}'"),
        (RULE, f"{RULE}\n    - {{status: 200-201, then: reject}}\n    - {{then: retry}}"),
        (RULE, f"- {{status: 200, when: a == 'b', then: reject}}\n    {RULE}"),
        ("method: POST", "headers: {Authorization: 'Bearer ${T:-x}'}\nmethod: POST"),
        ("method: POST", "operations: [{name: a, when: template_id}, {name: b}]\nmethod: POST"),
        (
            "method: POST",
            "operations: [{when: \"length(custom.tags[?@ == 'x']) == `1` || starts_with(to, '+91')\"}]\nmethod: POST",
        ),
        (ENTRY, "- {each: a, match: {To|digits: to}, rules: [{when: code == '1', then: accept}]}"),
        (ENTRY, "- {each: a, match: {index(): '@'}, then: accept}"),
        (RECORD, "{to: $$To, text: \"$${Body|hex('utf-16-be')}\"}"),
        (RECORD, '{to: $$To, text: "$${hid|default(Body)}"}'),
        (RECORD, "{to: $$To, text: \"$${Body|gsm(Body, Body|hex('utf-16-be'))}\"}"),
        (RECORD, "{to: $$To, text: $$hextext}\ncontent: hextext"),
        (RECORD, '{to: $$To, text: $$Body, sign: "$${To|append(${K:-x})|hmac(${K:-x})}"}'),
        ("method: POST", "headers: {Content-Type: application/vnd.acme+json; charset=utf-16be}\nmethod: POST"),
        (ENTRY, "- {each: a, match: index, range: {first: a, count: b}, count: c, then: accept}"),
        (
            f"{RULE}\n  entries:\n    {ENTRY}",
            f"- {{when: \"ok == '1' && results != `null`\", then: entries}}\n  entries:\n    {ENTRY}\n    - {{match: others, then: accept}}",
        ),
        *(
            (RULE, f'{RULE}\n    - {{status: 201, when: "{when}", then: accept}}')
            for when in (
                "id != `null`",
                "code == '0' && status != 'error'",
                "!(status != 'ok')",
                "contains(['a', 'b'], status)",
                "status == 'ok' && contains(message, 'sent')",
                "starts_with(message, 'Sent')",
                "length(ids) > `0` && length(failed) == `0`",
                "length(ids) == length(messages)",
            )
        ),
        (RULE, f"{RULE}\n    - {{status: 201, when: 'length(ids) > `0`', count: length(ids), then: accept}}"),
        (RULE, f"{RULE}\n    - {{status: 201, text: ^OK, then: accept}}"),
        (RULE, f"{RULE}\n    - {{status: 201, text: 'sent: [0-9]+', then: accept}}"),
        (RULE, f"{RULE}\n    - {{status: 201, header: {{Location: '/messages/'}}, then: accept}}"),
        (RULE, f"{RULE}\n    - {{status: [2xx, 409, 500], when: a == 'known', then: accept}}"),
        (RULE, f"{RULE}\n    - {{status: 201, then: accept}}\n    - {{when: code == '1', then: reject}}"),
        (
            RULE,
            "- {status: 2xx, then: accept}\n    - {status: 4xx, when: a == '1', then: reject}\n    - {status: 301, then: entries}",
        ),
        (
            f"{RULE}\n  entries:\n    {ENTRY}",
            "- {text: '^(?:[0-9]+;FAIL\\n?)*$', then: entries}\n  entries:\n    - {text: '(?m)^(?P<to>[0-9]+);FAIL$', match: {To: to}, then: reject}\n    - {match: others, then: accept}",
        ),
        (RECORD, "{to: \"$${To|replace('+', '00')}\", text: $$Body}"),
        (RECORD, '{to: $$To, text: $$Body, sign: "$${To|last(4)|md5}"}'),
        (RECORD, '{to: "$${To|national(91)}", text: "$${Body|truncate(160)}"}'),
        (ENTRY, '- {each: a, match: {"To|digits|last(10)": to}, then: accept}'),
        (ENTRY, "- {each: a, match: index, then: accept}\n    - {text: '(?P<to>x)', match: {To: to}, then: reject}"),
    ],
)
def test_what_is_right_is_left_in_peace(tmp_path: Path, old: str, new: str) -> None:
    assert problems_of(tmp_path, SOUND.replace(old, new), environment=EMPTY) == ([], [])


@pytest.mark.parametrize(
    ("host", "message"),
    [
        *((host, f"`{host}` is not a public address; if that is intended set http.private_hosts: true") for host in (
            "127.0.0.1", "127.1", "2130706433", "0177.0.0.1", "0x7f.1", "0", "10.0.0.1.", "169.254.169.254",
            "[::1]", "[fe80::1]", "[::ffff:10.0.0.1]", "[64:ff9b::7f00:1]", "[2002:a00:1::]", "[::127.0.0.1]",
        )),
        ("127.0.0.089", "`127.0.0.089` is no address; write a name"),
        ("1.2.3.4.5", "`1.2.3.4.5` is no address; write a name"),
    ],
)  # fmt: skip
def test_a_private_address_is_refused_wherever_a_url_stands(tmp_path: Path, host: str, message: str) -> None:
    oauth = f"auth: {{oauth2: {{url: 'https://{host}:8443/token', client_id: a, secret: '${{S:-abcdef}}'}}}}\n"
    operations = f"operations: [{{name: a, url: 'https://{host}/x?a=$$hid'}}]\nmethod: POST"
    for text, place in (
        (SOUND.replace(URL, f"https://{host}/x"), "url"),
        (SOUND.replace("method: POST", operations), "operations[0].url"),
        (oauth + SOUND, "auth.oauth2.url"),
    ):
        errors, _ = problems_of(tmp_path, text, environment=EMPTY)
        assert len(errors) == 1, errors
        assert place in errors[0]
        assert message in errors[0]
        if "private_hosts" in message:
            assert problems_of(tmp_path, text + "\nhttp: {private_hosts: true}\n", environment=EMPTY)[0] == []


GET = """\
method: GET
url: https://sms.example.com/send
headers: {Content-Type: application/x-www-form-urlencoded; charset=windows-1251}
parameters: {pairs: {to: $$To, text: $$Body}}
response: {rules: [{status: 200, then: accept}]}
"""


def test_a_charset_of_a_get_is_told_to_change_nothing(tmp_path: Path) -> None:
    errors, (warning,) = problems_of(tmp_path, GET)
    assert errors == []
    assert warning.startswith("acme.yaml:4:38: parameters.pairs.text: this stands in the URL")
    for right in (GET.replace("$$Body", "\"$${Body|encode('windows-1251')}\""), GET.replace("windows-1251", "UTF-8")):
        assert problems_of(tmp_path, right) == ([], [])


PLAIN = """\
method: POST
url: https://sms.example.com/send
parameters: {text: "To=$$To\\nText=$$Body\\n[END]"}
response: {rules: [{status: 200, then: accept}]}
"""


def test_a_line_break_in_plain_text_is_warned_of_with_the_way_out(tmp_path: Path) -> None:
    errors, (warning,) = problems_of(tmp_path, PLAIN)
    assert errors == []
    assert warning.startswith(
        "acme.yaml:3:20: parameters.text: nothing is escaped in plain text: a line break in $$Body"
    )
    assert warning.endswith("write $${Body|one_line}, or another format")
    for right in ("$${Body|one_line}", "$${Body|base64}", "$${Body|hex('utf-16-be')}"):
        assert problems_of(tmp_path, PLAIN.replace("$$Body", right)) == ([], [])
    joined = PLAIN.replace("\\n[END]", "") + 'batching: {key: ., records: 9, join: "\\n"}\n'
    assert problems_of(tmp_path, joined) == ([], [])
    assert problems_of(
        tmp_path, PLAIN.replace('"To=$$To\\nText=$$Body\\n[END]"', "{$json: {to: $$To, t: $$Body}}")
    ) == ([], [])


def test_every_error_is_found_at_once(tmp_path: Path) -> None:
    text = (
        SOUND.replace("POST", "BREW").replace(BATCHING, "{key: msgs, records: 2000}").replace("ACME", "'${A} $${b|c}'")
    )
    text = text.replace("accept", "acept").replace("200", "999").replace("sms.example.com", "$$host")
    errors, _ = problems_of(tmp_path, text, environment=EMPTY)
    assert [error.split(": ")[0].split(":")[1] for error in errors] == ["1", "2", "5", "8", "11", "13"]


def test_what_follows_from_a_mistake_is_not_named_as_well(tmp_path: Path) -> None:
    errors, _ = problems_of(tmp_path, SOUND.replace("  json:\n", "  json: [\n"), environment=EMPTY)
    assert len(errors) == 1
    errors, _ = problems_of(tmp_path, SOUND.replace("to: $$To", "to: $$tO"), environment=EMPTY)
    assert len(errors) == 1


def test_a_fault_in_a_pasted_payload_has_its_own_line_and_column(tmp_path: Path) -> None:
    text = """\
method: POST
url: https://a/b
parameters:
  json: |
    {
      "to": "$$To", // the recipient
      "text": "say: $${Body|nope}"
    }
"""
    errors, _ = problems_of(tmp_path, text)
    assert [error.partition(";")[0] for error in errors] == [
        "acme.yaml:7:15: parameters.json.text: the filter `nope` is not known"
    ]
    errors, _ = problems_of(tmp_path, text.replace('"$$To",', "$$To,"))
    assert errors == ['acme.yaml:6:13: parameters.json: `$$To` is no JSON value; put it in quotes: "$$To"']


def test_nothing_that_is_secret_stands_in_a_problem(tmp_path: Path) -> None:
    text = SOUND.replace("method: POST", "auth: {basic: {username: u, password: hunter22}}\nmethod: POST")
    text = text.replace(URL, "https://u:hunter22@a/b").replace("ACME", "'${KEY}$${x'")
    errors, warnings = problems_of(tmp_path, text, environment=Environment({"KEY": "s3cr3t"}))
    assert not any("hunter22" in each or "s3cr3t" in each for each in errors + warnings)
