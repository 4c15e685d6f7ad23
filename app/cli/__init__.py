"""The command line, `genregraph`. `root` registers the commands; each module has those of one topic."""
