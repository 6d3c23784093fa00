"""Systematic exploration: every operation × every downstream call × every kind of fault, as declared or not."""
