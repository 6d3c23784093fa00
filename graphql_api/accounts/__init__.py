"""Accounts and balances."""
