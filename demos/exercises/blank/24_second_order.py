"""24. Second order: the gradient of a gradient.

    H v         H_ij = ∂²f / ∂x_i ∂x_j,  v an array of x's shape

For a network H is too large to write down, but H v = d/dx (∇f(x) · v) costs about two gradients.

f turns the Tensor x (with requires_grad) into a Tensor of one element; v is a Tensor. Use

    grad(output, input, create_graph=True)

which gives the gradient as a Tensor with a history, so that it can be differentiated again.
"""

from tinyae import grad


def hessian_vector_product(f, x, v):
    raise NotImplementedError  # return H v
