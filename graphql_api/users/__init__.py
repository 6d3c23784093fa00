"""People: profiles, banking details, activation."""
