"""Tables, connections and migrations. Each wing has its own repositories for SQL."""
