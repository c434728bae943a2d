"""The stream: from Kafka to the lanes, and from their results to Kafka.

`process` runs Faust's worker around ours; `worker` opens and closes epochs; `wiring` makes what a worker is made of;
`pipeline` is a message's way through it, from station to station.

An event is fetched (`faust`), one chunk per partition; admitted and decoded (`intake`); waits in its provider's lane
(`lanes`, connector/delivery), or in a retry topic where that would take long (`retry`); and ends as a record in the
results topic (`output`). The ledger of its partition then lets its offset be committed (`partitions`). `epoch` opens
partitions and gives them back, `membership` knows whether they are ours, `control` is what operators say meanwhile,
`shutdown` ends the process in time.
"""
