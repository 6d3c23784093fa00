"""The handler does not run, and an error is answered in its place."""

from typing import Annotated, ClassVar

import msgspec

from chassis import codes, wire
from chassis.codes import Code
from chassis.errors import CodedError
from chassis.faults.effects.effect import Handle, HttpEffect
from chassis.faults.exchange import Exchange
from chassis.faults.fault import Hit


class Error(HttpEffect, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A problem document with `code` and `status` instead of the handler: nothing is done.

    Either follows from the other: the code has a status, and a status the first code that has it. 503
    UNAVAILABLE when neither is given.
    """

    kind: ClassVar[str] = "error"

    status: Annotated[int, msgspec.Meta(ge=400, le=599)] | None = None
    code: str | None = None

    def __post_init__(self) -> None:
        if self.code is not None and codes.known(self.code) is None:
            raise ValueError(f"there is no code {self.code!r}; docs/errors.md lists them")

    async def around(self, exchange: Exchange, handle: Handle, hit: Hit) -> None:  # noqa: ARG002
        error = self._error(hit.fault_id)
        exchange.scope["error_code"] = error.code
        hit.done()
        await wire.send_problem(
            exchange.send,
            error,
            service=exchange.service,
            correlation_id=exchange.scope.get("correlation_id"),
        )

    def _error(self, fault_id: str) -> CodedError:
        error = self._code().error(f"Answered on purpose, by fault {fault_id}; nothing was done.")
        if self.status is not None:
            error.status = self.status
        return error

    def _code(self) -> Code:
        if self.code is not None:
            return codes.known(self.code) or codes.INTERNAL
        if self.status in (None, codes.UNAVAILABLE.status):
            return codes.UNAVAILABLE
        fitting = (code for code in codes.all_codes() if code.status == self.status)
        return next(fitting, codes.INTERNAL)
