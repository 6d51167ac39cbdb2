"""Before backpropagation was enough: energy, layer after layer, and few labels."""
