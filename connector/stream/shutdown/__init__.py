"""The end of the process: `stop_signals` from outside, `failure_sink` from inside; `deadline` where it does not end."""
