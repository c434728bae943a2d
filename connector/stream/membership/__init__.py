"""Whether this process is a member of its group, and may go on.

`coordinator` of stream/faust tells `group_answers` what brokers say; what proves the membership renews the `lease`,
which every request and every write asks (output/fencing).
"""
