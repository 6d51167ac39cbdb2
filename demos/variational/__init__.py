"""Variational autoencoders, and what they rest on."""
