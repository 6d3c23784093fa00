"""Transfers, deposits, withdrawals, reversals and statements."""
