"""Scenarios: read from YAML, checked, described to editors."""

from chaos.grammar.problems import Problem, ScenarioError
from chaos.scenarios.library import find, names
from chaos.scenarios.loader import load, parse
from chaos.scenarios.scenario import Scenario

__all__ = ["Problem", "Scenario", "ScenarioError", "find", "load", "names", "parse"]
