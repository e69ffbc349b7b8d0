"""The functions of CEL and of Kubernetes, a module per library. Each declares them on its `LIBRARY`."""
