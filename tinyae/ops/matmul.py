"""The matrix product, over any number of leading batch axes, and Einstein's sums of products."""

import math

from ..autodiff import as_tensor, broadcast_to, primitive
from ..backend import array_module
from .shape import expand_dims, reshape, swapaxes


@primitive
def matrix_product(a, b):
    """a @ b for operands of two or more axes: (..., n, k) by (..., k, m); leading axes broadcast.

    With y = a b, dL/da = g bᵀ and dL/db = aᵀ g (Deep Learning, section 6.5.6).
    """
    return a @ b


matrix_product.defvjp(
    lambda g, y, a, b: matrix_product(g, swapaxes(b, axis1=-1, axis2=-2)),
    lambda g, y, a, b: matrix_product(swapaxes(a, axis1=-1, axis2=-2), g),
)


@primitive
def affine(x, w, b):
    """x w + b, for x (N, n), w (n, m) and b (m,): a dense layer.

    The bias is added in the memory of the product, so that one array is kept for the way back, not two.
    Raises ValueError for other shapes.
    """
    if not x.ndim == w.ndim == 2 or w.shape != (x.shape[1], *b.shape):
        raise ValueError(f"affine: expected x (N, n), w (n, m) and b (m,), not {x.shape}, {w.shape} and {b.shape}")
    y = x @ w
    return array_module(y).add(y, b, out=y if b.dtype == y.dtype else None)


affine.defvjp(
    lambda g, y, x, w, b: matrix_product(g, swapaxes(w, axis1=0, axis2=1)),
    lambda g, y, x, w, b: matrix_product(swapaxes(x, axis1=0, axis2=1), g),
    lambda g, y, x, w, b: g,  # which the engine sums over the examples
)


def matmul(a, b):
    """NumPy's a @ b: a vector on the left is a row, on the right a column, and its axis goes away.

    Raises ValueError where the inner sizes differ.
    """
    a, b = as_tensor(a), as_tensor(b)
    if not (a.ndim and b.ndim) or a.shape[-1] != b.shape[-2 if b.ndim > 1 else 0]:
        raise ValueError(f"matmul: cannot multiply shapes {a.shape} and {b.shape}: the last axis of the "
                         "first must be as long as the second to last (of a vector, only) axis of the second")
    if a.ndim > 2 and b.ndim == 2:  # one product of all rows, not one for each of the batch
        y = matrix_product(reshape(a, shape=(math.prod(a.shape[:-1]), a.shape[-1])), b)
        return reshape(y, shape=a.shape[:-1] + b.shape[1:])
    row = a if a.ndim > 1 else reshape(a, shape=(1, -1))
    column = b if b.ndim > 1 else reshape(b, shape=(-1, 1))
    y = matrix_product(row, column)
    if a.ndim == 1 or b.ndim == 1:
        y = reshape(y, shape=y.shape[:-2] + y.shape[-2:-1] * (a.ndim > 1) + y.shape[-1:] * (b.ndim > 1))
    return y


def einsum(subscripts, *operands):
    """Σ over the letters that the output lacks, of products: einsum("nd,md->nm", a, b) is a @ b.T.

    As in NumPy, without "->" the output has the letters that occur once, in their order in the alphabet.
    Raises ValueError where the subscripts do not fit the operands, or an operand has a letter twice (its
    diagonal) or an ellipsis, which are not supported.
    """
    operands = [as_tensor(x) for x in operands]
    text = subscripts.replace(" ", "")
    inputs, arrow, output = text.partition("->")
    if not arrow:
        output = "".join(c for c in sorted({*inputs} - {","}) if inputs.count(c) == 1)
    terms, sizes = inputs.split(","), {}
    for term in (*terms, output):
        if len(set(term)) < len(term) or not (term + "a").isalpha():
            raise ValueError(f"einsum: {term!r} in {subscripts!r} must be letters, none of them twice")
    if [len(term) for term in terms] != [x.ndim for x in operands] or not {*output} <= {*inputs}:
        raise ValueError(f"einsum: {subscripts!r} does not fit operands of the shapes "
                         f"{', '.join(str(x.shape) for x in operands)}")
    for c, n in ((c, n) for term, x in zip(terms, operands) for c, n in zip(term, x.shape)):
        if sizes.setdefault(c, n) != n:
            raise ValueError(f"einsum: the axis {c} of {subscripts!r} is {sizes[c]} long in one operand "
                             f"and {n} in another")
    return contract(*operands, terms=(*terms, output))


@primitive
def contract(*operands, terms):
    """What `einsum` computes, of its operands' letters and its output's, in a tuple."""
    *inputs, output = terms
    return array_module(*operands).einsum(f"{','.join(inputs)}->{output}", *operands, optimize=True)


def _contract_rule(i, g, y, *operands, terms):
    """Another such sum: g takes the operand's place, which gives its letters in place of the output's.

    Along the letters that it alone has, which were summed over, its gradient is constant.
    """
    *inputs, output = terms
    others = [k for k in range(len(operands)) if k != i]
    known = {*output}.union(*(inputs[k] for k in others))
    kept = "".join(c for c in inputs[i] if c in known)
    gx = contract(g, *(operands[k] for k in others), terms=(output, *(inputs[k] for k in others), kept))
    alone = tuple(axis for axis, c in enumerate(inputs[i]) if c not in known)
    return broadcast_to(expand_dims(gx, alone), shape=operands[i].shape) if alone else gx


contract.defvjp(_contract_rule)
