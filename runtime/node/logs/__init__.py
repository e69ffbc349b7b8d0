"""Container logs as the runtime writes them: reading, selecting, following."""
