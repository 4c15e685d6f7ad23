"""The GraphQL schema: thin types and resolvers over the services."""
