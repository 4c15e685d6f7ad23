"""Tables, connections and migrations. Each wing has its own SQL in `repository.py`."""
