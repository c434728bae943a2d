"""Results out: written, acknowledged, or owed.

`writer` collects results in a `partition_buffer` per partition and writes them as record batches (`uniform_records`:
many at once) after `fencing` has said that the partition is still ours; `pending_results` says how much that is.
`dispatch` brings a batch to Kafka: repeated, halved, made smaller (`shrinking`), by the `producer`, which
`replaceable_producer` makes anew after a refusal. `writability` holds requests back while Kafka refuses, `proof` until
it is known that results can be written; what stays refused or unanswered (`overdue`) is one of the `debts`. `journal`
notes what is about to be sent; `read_back` looks what a refused batch has left in the log. `recipient_masking` changes
a result before it leaves. `send_permission` is what all of this means for a request.
"""
