"""The classifier: features, ensemble, explanations, drift and the artifact."""
