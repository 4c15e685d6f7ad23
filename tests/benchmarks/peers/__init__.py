"""Other servers that respond to the same queries from the same tables."""
