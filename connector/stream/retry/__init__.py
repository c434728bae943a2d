"""Retry topics: where messages wait that have to wait longer than memory should hold them.

`routing` chooses the topic by `tiers` and hands the event to the writer; `retry_records` writes and reads its header;
`retry_reader` takes it again when its time has come. `head_of_line` sends there what holds a partition back, `purge`
deletes what is finished.
"""
