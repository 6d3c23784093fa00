"""`python -m monitoring`: write the generated files."""

import argparse

from monitoring.files import write
from monitoring.links import LINKS, Links


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m monitoring", description=__doc__)
    parser.add_argument(
        "--runbooks", default=LINKS.runbooks, help="where docs/runbooks is read, if not at Grafana"
    )
    parser.add_argument("--grafana", default=LINKS.grafana, help="address of the dashboards")
    asked = parser.parse_args()
    write(Links(asked.runbooks.rstrip("/"), asked.grafana.rstrip("/")))


if __name__ == "__main__":
    main()
