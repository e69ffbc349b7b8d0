"""Sizes as people read them."""


def size_text(amount: int) -> str:
    """As upstream's: `512 B`, `40.6 GiB`."""
    power, rest = 0, float(amount)
    while rest >= 1024 and power < 6:
        rest, power = rest / 1024, power + 1
    return f"{rest:.1f} {'KMGTPE'[power - 1]}iB" if power else f"{amount} B"
