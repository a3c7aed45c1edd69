"""US dollars as text and as data: one rounding for each purpose."""

from __future__ import annotations

_MICRO = 6  # decimals of a stored amount: sums of prices such as 0.015 stay exact in print


def price(usd: float) -> str:
    """Return a price or the sum of a few, to a tenth of a cent: `$0.015`."""
    return f"${usd:.3f}"


def total(usd: float) -> str:
    """Return an amount of many posts, to the cent: `$12.40`."""
    return f"${usd:.2f}"


def budget(usd: float) -> str:
    """Return an amount that a person set, as it was typed: `$1.5`."""
    return f"${usd:g}"


def exact(usd: float) -> float:
    """Return an amount for programs, without the noise of floating point."""
    return round(usd, _MICRO)
