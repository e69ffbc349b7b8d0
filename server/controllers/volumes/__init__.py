"""Binding claims and volumes to each other, reclaiming volumes, and claims that come with a pod."""
