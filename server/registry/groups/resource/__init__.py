"""The resource.k8s.io group: dynamic resource allocation. Objects are kept; nothing is allocated yet."""
