"""Requests made up from a service's own OpenAPI document, right ones and wrong: none may end in a 500."""

from collections.abc import Callable, Mapping
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode

EXAMPLES = 10
"""Requests per operation and mode: a pass over all operations stays within seconds."""

TIMEOUT = 20
"""Seconds for one answer, generous for a busy machine."""


def fuzz(url: str, headers: Callable[[str], Mapping[str, str]], examples: int = EXAMPLES) -> int:
    """Send made-up requests to every operation at `url`; how many were sent. Blocking.

    `headers` tells what to send to a path, so that requests get past the gate.

    Every answer must be one that the document tells of a coded error, never a 500, and problems must be
    problem documents with a code.
    """
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    sent = 0

    def check(case: Any) -> None:
        nonlocal sent
        sent += 1
        answer = case.call(headers=dict(headers(case.path)), timeout=TIMEOUT)
        assert answer.status_code < 500 or answer.json()["code"] != "INTERNAL", case.body
        if answer.status_code >= 400:
            assert answer.headers["content-type"][0].startswith("application/problem+json")
            assert answer.json()["code"]

    for result in schema.get_all_operations():
        assert isinstance(result, Ok), "the document itself is sound"
        operation = result.ok()
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            run = settings(
                max_examples=examples,
                deadline=None,
                database=None,
                derandomize=True,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            cases = operation.as_strategy(generation_mode=mode)
            try:
                run(given(case=cases)(check))()
            except Unsatisfiable:
                # Nothing can be wrong with a request that has neither body nor parameters.
                assert mode is GenerationMode.NEGATIVE, operation.label
    return sent
