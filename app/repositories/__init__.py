"""Repositories: all SQL that reads or writes our tables, one module a table."""
