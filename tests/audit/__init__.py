"""Tools that attack the service, and `python -m tests.audit`, which runs them all."""
