"""Systematic exploration: every operation × every downstream call × every kind of fault, against what is declared."""
