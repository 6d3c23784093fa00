"""What a run shows to people, and to the tools that they use: made from its record alone."""
