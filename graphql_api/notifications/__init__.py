"""What the platform told its users."""
