"""The admissionregistration.k8s.io group. Objects are kept; webhooks and policies are not called yet."""
