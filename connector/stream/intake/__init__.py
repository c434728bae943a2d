"""Events in.

`admission` takes chunks in slices, as long as `budget` and span have room; `intake` decodes them and files each with
its lane, or ends it: `refusals` builds the result of what is sent nowhere, `unreadable` says why an event is no
message, `unknown_names` counts names that nobody has defined, `dedupe` finds ids that came before, and `dedupe_restore`
reads those back from Kafka when partitions are opened. `read_progress` says whether more is on its way.
"""
