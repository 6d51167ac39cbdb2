"""25. The Jacobian penalty of any encoder, by differentiating twice.

    y = 1/N Σ_n ‖∂h_n/∂x_n‖²_F          h = encoder(x), x (N, n_in), h (N, n_out)

encoder is any function on Tensors that treats each example by itself; x has requires_grad. As h_n
depends on x_n alone, the gradient of Σ_n h_nj in x holds row j of every J_n.

Give y as a Tensor of one element that can itself be differentiated, since training minimises it:
the checker asks for its gradient in the encoder's weights.
"""

from tinyae import grad


def jacobian_penalty(encoder, x):
    raise NotImplementedError  # return y
