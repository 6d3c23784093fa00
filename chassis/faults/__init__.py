"""The fault point of a process: faults in what it answers and publishes, wired in by `--chaos` only."""
