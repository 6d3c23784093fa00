"""Starts the platform's processes, keeps them running, tells how they are, and ends them."""
