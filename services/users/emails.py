"""When two e-mail addresses are the same one."""

import unicodedata


def as_stored(email: str) -> str:
    """The address as its owner wrote it, in NFC, so that it is shown the same everywhere.

    Nothing is stripped: the contract refuses white space.
    """
    return unicodedata.normalize("NFC", email)


def key_of(email: str) -> str:
    """What makes an address unique: its canonical caseless form (Unicode 3.13, D145).

    Mailbox names may be case-sensitive by RFC 5321, and no provider treats them so; two people who
    differ in case only would be an attack and not a coincidence.
    """
    decomposed = unicodedata.normalize("NFD", email)
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", decomposed.casefold()))
