"""In-place resize: what a pod was given, whether it can have what it wants, and putting it in force."""
