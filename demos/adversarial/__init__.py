"""Adversarial networks: a generator and a discriminator play a game."""
