"""The command line, `genregraph`: one module a command."""

from __future__ import annotations

from app.cli.root import main

__all__ = ["main"]
