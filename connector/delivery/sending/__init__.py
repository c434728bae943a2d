"""One request: chosen, built, sent, its reply read.

`departures` takes a window while there are free slots, `request_builder` decodes and renders it, `in_flight` follows
the request until it is known what became of each of its messages; `lane_state` says whether it sends; `request_log` has
a line for each, `reading_turns` keeps replies that take long to read from holding up other providers.
"""
