"""Who must not be texted. Pure but for the snapshot's file.

`record` is what stands in the topic, one per phone number and sender; `phone_list` holds all of them in memory, eight
bytes each; `policy` says whether a message may be sent; `snapshot` keeps the list on disk, from which a worker starts
within a second.
"""
