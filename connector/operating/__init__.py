"""What people who operate the connector see of the group and do to it, from outside: for commands and the console.

It looks (`worker_pages`, `holding`, `group_progress`) and steers (`steering`, with `audit_trail`); it consumes nothing
and commits nothing.
"""
