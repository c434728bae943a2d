"""What each provider's callbacks look like, one module each, written from the providers' documentation."""
