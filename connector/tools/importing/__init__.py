"""From what a provider's documentation shows (a curl command, the fields of a form) to a draft of a definition."""
