"""The public keys of access tokens, as the users service publishes them and everybody verifies by them."""

from chassis.contract import Answer


class PublicKey(Answer, frozen=True, kw_only=True):
    """An RSA public key as published (RFC 7517)."""

    kid: str
    kty: str
    alg: str
    use: str
    n: str
    e: str


class KeySet(Answer, frozen=True, kw_only=True):
    keys: list[PublicKey]
