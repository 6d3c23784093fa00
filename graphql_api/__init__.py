"""The gateway: one GraphQL endpoint over the platform's services."""
