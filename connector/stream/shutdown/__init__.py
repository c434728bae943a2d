"""The end of the process: `stop_signals` from outside; `deadline` ends it on a thread of its own when it does not."""
