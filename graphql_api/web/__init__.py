"""GraphQL over HTTP: requests in, negotiated answers out, and the pages beside the endpoint."""
