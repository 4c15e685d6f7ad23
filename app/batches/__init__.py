"""Batches: classify song files and store the songs, in a request or in a worker."""
