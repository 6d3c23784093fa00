"""Systematic exploration: every operation × downstream call × kind of fault, against what is declared."""
