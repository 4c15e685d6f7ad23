"""The types of the schema, one module a subject."""
