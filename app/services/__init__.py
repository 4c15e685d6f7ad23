"""Services: what the application does, each call a unit of work with transactions of its own."""
