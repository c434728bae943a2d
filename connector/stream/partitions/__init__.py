"""What is known of each source partition, and its progress.

`assignment` holds the partitions of one epoch, each a `partition` with its `ledger`: which offset may be committed.
`committer` commits that. When one is opened, `cluster` reads committed offsets, log bounds and, by `tail`, what is
settled already, into an `offset_set`; `start_offset` decides where it begins. `formats` is what workers write for each
other, in headers, commits and the journal. `result_sink` is what results are handed to, `refile_queue` holds messages
that are to be filed anew.
"""
