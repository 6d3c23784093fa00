"""Scenarios in the formats of other tools."""

from chaos.export.chaostoolkit import Injection, experiment

__all__ = ["Injection", "experiment"]
