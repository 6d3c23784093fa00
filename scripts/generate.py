"""Renews the files that are generated from the code: `make generate`. Tests compare them."""

from pathlib import Path

from chassis import codes
from graphql_api.schema import build_schema, sdl

ROOT = Path(__file__).parents[1]

_HEAD = """<!-- DO NOT EDIT: generated from chassis/codes.py by `make generate`. -->
# Error codes

Every error carries `extensions.code` (GraphQL) or `code` (problem documents between services). A code is
never renamed and never changes its meaning. *Retryable* says whether the same request may succeed later;
a money mutation is sent again with the **same** idempotency key.

| code | status | what happened | what to do | retryable |
|---|---|---|---|---|
"""


def error_page() -> str:
    """`docs/errors.md`."""
    rows = [
        f"| `{code.name}` | {code.status} | {code.meaning} | {code.advice} "
        f"| {'yes' if code.retryable else 'no'} |"
        for code in codes.all_codes()
    ]
    return _HEAD + "\n".join(rows) + "\n"


def main() -> None:
    (ROOT / "docs" / "errors.md").write_text(error_page())
    (ROOT / "graphql_api" / "schema.graphql").write_text(sdl(build_schema()))


if __name__ == "__main__":
    main()
