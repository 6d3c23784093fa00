"""Amounts as people in Brazil write them."""

_SYMBOLS = {"BRL": "R$"}


def written(amount: int, currency: str) -> str:
    """`R$ 1.234,56` for 123456 minor units of BRL; other currencies by their code.

    >>> written(123456, "BRL")
    'R$ 1.234,56'
    """
    whole, minor = divmod(abs(amount), 100)
    grouped = f"{whole:,}".replace(",", ".")
    sign = "-" if amount < 0 else ""
    return f"{sign}{_SYMBOLS.get(currency, currency)} {grouped},{minor:02d}"
