"""Why a fault is not injected: a status, a stable code, and what to do instead."""


class Refused(Exception):
    """Nothing was changed. Becomes a problem document."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.status = status
        self.code = code
        self.detail = detail
