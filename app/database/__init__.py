"""The database: tables, engine and migrations. SQL that reads or writes songs is in `app.repositories`."""
