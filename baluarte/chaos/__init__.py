"""The side of `baluarte chaos` that knows platforms: how one is found or started, and what can be off."""
