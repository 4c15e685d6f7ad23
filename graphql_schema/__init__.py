"""The GraphQL schema: thin types and resolvers over `app.services`."""
