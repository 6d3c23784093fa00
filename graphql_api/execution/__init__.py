"""From the text of a GraphQL operation to its answer: bounds, caches, execution, errors."""
