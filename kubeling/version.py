"""The version of kubeling and of the Kubernetes API that it serves. pyproject.toml says the first one too."""

VERSION = "0.1.0"
KUBERNETES_VERSION = "v1.37.0"
