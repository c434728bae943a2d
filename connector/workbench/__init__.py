"""What people do with a definition before it is used: check, render, reply, import; for commands and for Studio."""
