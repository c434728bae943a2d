"""What tells a lane to wait, and for how long.

`flow_control` asks all of them before a request leaves: `send_hours`, `circuit_breaker`, `rate_limiter`,
`adaptive_concurrency`; and tells them how it ended. While the breaker is open `probing` chooses what is tried;
`failing_campaigns`, `suspects` and `unknown_replies` find what is no outage of the provider; `account` is what
definitions with one account share. `passage` says whether results can be written at all. `backoff` says when a refused
message is sent again, `throughput` how fast a lane gets rid of messages.
"""
