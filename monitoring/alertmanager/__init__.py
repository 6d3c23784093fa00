"""Alertmanager: who is told of what, and in which words."""
