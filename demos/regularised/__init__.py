"""Regularised autoencoders: J = L(x, g(f(C(x)))) + Ω(h, x)."""
