"""What the API is told of a pod."""
