"""HTTP: authentication, limits, the GraphQL endpoint, pages, downloads and health checks."""
