"""The genregraph service."""

from importlib.metadata import version

__version__ = version("genregraph")
