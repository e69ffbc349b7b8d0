"""A container's environment variables, from wherever they come."""
