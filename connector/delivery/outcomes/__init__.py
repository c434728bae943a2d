"""What became of messages.

`decision` says what the outcomes of one request mean: final results, and what is sent again and when;
`open_messages` carries that out and counts what a lane answers for; `unsent` builds the result of a message that ends
without another request; `internal_faults` turns a fault of ours into an outage of one provider.
"""
