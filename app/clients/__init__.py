"""Clients: authentication, roles and administration."""
