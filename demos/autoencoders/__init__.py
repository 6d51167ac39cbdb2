"""Autoencoders: a code from which the input can be drawn again."""
