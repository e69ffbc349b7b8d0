"""Classes of service, and the cgroups that pods, classes and all of them together have."""
