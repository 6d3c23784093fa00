"""Every error of the API. Texts and statuses up to 'toxic not found' are Toxiproxy's, to the letter."""


class ApiError(Exception):
    """Something that the caller of the API is told, as `{"error": …, "status": …}`."""

    status = 500

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class BadRequestBody(ApiError):
    status = 400

    def __init__(self, why: str) -> None:
        super().__init__(f"bad request body: {why}")


class MissingField(ApiError):
    status = 400

    def __init__(self, field: str) -> None:
        super().__init__(f"missing required field: {field}")


class ProxyNotFound(ApiError):
    status = 404

    def __init__(self) -> None:
        super().__init__("proxy not found")


class ProxyAlreadyExists(ApiError):
    status = 409

    def __init__(self) -> None:
        super().__init__("proxy already exists")


class InvalidStream(ApiError):
    status = 400

    def __init__(self) -> None:
        super().__init__("stream was invalid, can be either upstream or downstream")


class InvalidToxicType(ApiError):
    status = 400

    def __init__(self) -> None:
        super().__init__("invalid toxic type")


class ToxicAlreadyExists(ApiError):
    status = 409

    def __init__(self) -> None:
        super().__init__("toxic already exists")


class ToxicNotFound(ApiError):
    status = 404

    def __init__(self) -> None:
        super().__init__("toxic not found")


class CannotListen(ApiError):
    """The address is taken, not ours, or not an address."""

    status = 500

    def __init__(self, address: str, why: str) -> None:
        super().__init__(f"listen tcp {address}: {why}")


class NotLoopback(ApiError):
    """Ours: a fault proxy that others can reach forwards them to wherever its API was told."""

    status = 403

    def __init__(self, address: str) -> None:
        super().__init__(
            f"{address} is not a loopback address; start the proxy with --allow-remote to listen there"
        )


class LimitReached(ApiError):
    """Ours: a bound of `limits.py`."""

    status = 429

    def __init__(self, what: str, limit: int) -> None:
        super().__init__(
            f"there are {limit} {what} already, the most this proxy takes; delete some"
        )


class BodyTooLarge(ApiError):
    status = 413

    def __init__(self, limit: int) -> None:
        super().__init__(f"the request body is over {limit} bytes; send less at once")
