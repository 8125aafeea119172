"""JAX: readable source for tensor pieces."""
