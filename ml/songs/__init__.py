"""The song contract, and readers of CSV, JSON and Parquet that validate it."""
