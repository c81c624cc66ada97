"""Measures what a run costs."""
