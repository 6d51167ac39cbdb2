"""In latent space: what can be done with codes once they are there."""
