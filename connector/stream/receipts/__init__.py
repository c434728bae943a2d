"""`sms-connector receipts run`: receipts that are matched become states of messages, each written once.

`join_process` runs it, `join_worker` is its life, `joining` decides what an entry changes, `state_opening` knows what
is written when partitions are opened, `join_stage` writes; `partition_stage` is what stages have in common. Membership,
ledger, fencing and commits are those of `run`.
"""
