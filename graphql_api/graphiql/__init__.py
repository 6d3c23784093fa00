"""GraphiQL, served from our own files: it works offline and asks nobody else for anything.

`assets/` holds published builds, unchanged; `vendor.py` writes them. `start.js` and `start.css` are ours.
"""

from pathlib import Path

from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

HERE = Path(__file__).parent

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The editor writes style attributes and carries its fonts as data; scripts come from our files only."""


class GraphiQL:
    """The page and its files."""

    def __init__(self) -> None:
        self._html = (HERE / "page.html").read_text()
        self.assets = Mount("/graphiql", StaticFiles(directory=HERE / "assets"), name="graphiql")

    @property
    def page(self) -> Response:
        """What a browser gets at `/graphql`."""
        return HTMLResponse(
            self._html, headers={"content-security-policy": POLICY, "vary": "Accept"}
        )
