"""What the service's reads are compared with: the same answers from the same tables, by other means."""
