"""`python -m baluarte`."""

from baluarte.cli import main

if __name__ == "__main__":
    main(prog_name="baluarte")
