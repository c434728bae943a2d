"""An epoch: the time between two rebalances, in which partitions are ours.

`instance_takeover` waits for an earlier bearer of our id; `topic_inspection` asks what brokers tell of our topics;
`opening` makes ledgers of what Kafka says; `debt_payment` writes results that are owed; `housekeeping` commits, watches
the lease and purges; `closing` gives the partitions back.
"""
