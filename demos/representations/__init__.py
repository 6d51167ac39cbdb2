"""Representations and what they are for: each use against the plain alternative, at equal cost."""
