"""Training, tuning and evaluating a model."""
