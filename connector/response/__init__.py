"""Replies: from what a provider answered to one outcome per message. Pure.

`reply_reader` decides by `rules` or `builtin`; `entries` finds whose each part of a reply is, `matching` doubts what
contradicts; `content` opens a reply, `document` decodes it, `path` and `functions` are JMESPath; `fields` and
`reply_values` turn what stands there into ids, codes, reasons and times; `redact` masks what a provider echoes.
"""
