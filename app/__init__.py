"""The genregraph service: settings, database, repositories, services, HTTP and command line."""

from importlib.metadata import version

__version__ = version("genregraph")
