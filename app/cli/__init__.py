"""The command line, `genregraph`: one module a command, put together in `root`."""
