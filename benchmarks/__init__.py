"""Timing, one script a question."""
