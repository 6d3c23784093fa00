"""Who asks, how often they may, and what browsers are told to allow."""
