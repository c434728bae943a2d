"""Studio's questions answered in a process of its own: what somebody has typed costs nobody else time and memory."""
