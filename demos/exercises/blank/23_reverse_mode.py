"""23. Reverse mode itself.

A node is one number in a computation that ends in `output`:

    node.inputs         the nodes that it was computed from, in a list; empty for a leaf
    node.rules          a function for each of them: rules[i](g) is the share of inputs[i]
                        in the gradient g of the node

Give a dictionary {node: d output / d node} of output and of all nodes behind it.

Start with 1 for the output itself. A node that is used in several places gets a share from each, and
may hand its gradient on only when all of them have come in: so visit the nodes in an order in which
each comes after everything that uses it (a topological order). Visit each once: there may be more
paths than a computer can count. One of the graphs is 5000 nodes deep, more than Python can recurse.
"""


def gradients(output):
    raise NotImplementedError
