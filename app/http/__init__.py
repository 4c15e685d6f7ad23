"""HTTP: who may come in, how much they may send, the GraphQL endpoint and the health checks."""
