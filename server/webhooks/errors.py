"""What can go wrong with a call to a webhook."""


class WebhookError(Exception):
    """The webhook could not be called, or gave no answer that can be read; the text says why, in the words of
    Go's clients."""
