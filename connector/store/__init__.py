"""What is kept on disk: states of messages, as a view of a topic. The only room that knows RocksDB.

The driver is `rocksdict`, an extra of this package: `pip install 'kafka-sms-connector[receipts]'`.
"""
