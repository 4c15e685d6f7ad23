"""Songs, features, training and the ensemble. Knows nothing of the web or the database."""
