"""The catalogue: stored songs and genres."""
