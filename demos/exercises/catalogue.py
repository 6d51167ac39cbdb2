"""The exercises in their order, with two hints each, and where in tinyae the same rule lives."""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
BLANKS = Path(__file__).parent / "blank"


class Exercise(NamedTuple):
    """name is that of the file, NN_name.py; lives is what to look for in tinyae."""

    number: int
    name: str
    lives: tuple
    hints: tuple

    @property
    def filename(self):
        return f"{self.number:02}_{self.name}.py"

    @property
    def blank(self):
        """The text of the file before anything is written."""
        return (BLANKS / self.filename).read_text(encoding="utf-8")

    @property
    def title(self):
        return self.blank.splitlines()[0].removeprefix(f'"""{self.number}. ').rstrip('."')


class Verdict(NamedTuple):
    """status is "done" or "failing"; mistake is its name, or None where it has none; report is text."""

    status: str
    mistake: str = None
    report: str = ""


def places(exercise):
    """[(name, file, line)] of the rules in tinyae that an exercise is about, as the files are now."""
    found = []
    for alternatives in exercise.lives:
        for name in alternatives.split("|"):
            start = re.compile(rf"(def {name}\(|{name}\.defvjp\(|class {name}\b)")
            hits = [(path, n) for path in sorted((ROOT / "tinyae").rglob("*.py"))
                    for n, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
                    if start.match(line)]
            rules = [hit for hit in hits if "defvjp(" in _line(*hit)]
            if hits:
                path, n = (rules or hits)[0]
                found.append((name, path.relative_to(ROOT).as_posix(), n))
                break
    return found


def _line(path, n):
    return path.read_text(encoding="utf-8").splitlines()[n - 1]


def _exercises(*rows):
    return [Exercise(number, *row) for number, row in enumerate(rows, 1)]


EXERCISES = _exercises(
    ("multiply", ("multiply",), (
        "Hold b still. If one entry of a grows by a little, by how much does that entry of y grow?",
        "y = a b is a straight line in a. Its slope is the other factor; g scales it.")),
    ("sum_broadcast", ("sum", "add", "sum_to"), (
        "In the sum, x_ij turns up in y_j alone, with slope 1: so what is dL/dx_ij? In the bias, b_j "
        "turns up in every row of y.",
        "One needs g repeated down the rows (np.broadcast_to), the other g summed over the rows.")),
    ("matmul", ("matrix_product",), (
        "∂y_ij/∂a_ik = b_kj. So dL/da_ik = Σ_j g_ij b_kj: which matrix has b_kj in row j and column k?",
        "Each is g times the other factor transposed. On which side g stands, the shapes say.")),
    ("adjoints", ("transpose", "reshape"), (
        "Axis i of y is axis axes[i] of x. So which axis of y is axis k of x? "
        "For reshape: the order of the entries never changed.",
        "np.argsort(axes) is the inverse of a permutation.")),
    ("sigmoid_tanh", ("sigmoid", "tanh"), (
        "Write sigmoid as 1/u with u = 1 + e⁻ˣ, differentiate, and look for y and 1 - y in what comes "
        "out. For tanh, use the quotient rule.",
        "sigmoid: e⁻ˣ / (1 + e⁻ˣ) is 1 - y. tanh: the quotient rule leaves 1 minus a square.")),
    ("relu", ("relu",), (
        "The slope is 1 or 0. A comparison of arrays gives exactly that, as True or False.",
        "Mind x = 0: which of > and >= gives the slope 0 there?")),
    ("softmax", ("logsumexp", "softmax"), (
        "The derivative of log-sum-exp is softmax; write it with y and one exp. For softmax, "
        "∂y_j/∂x_k = y_j (δ_jk - y_k): put it into Σ_j g_j ∂y_j/∂x_k and take the sum apart.",
        "The second is y times (g minus one number for each row). That number is a sum over the row; "
        "keep its axis (keepdims=True) so that it broadcasts.")),
    ("bernoulli", ("softplus", "bernoulli_terms|cross_entropy", "bernoulli_nll"), (
        "d softplus(x)/dx is the sigmoid. In the loss, softplus(l) - t l has a derivative of two terms.",
        "softplus is max(x, 0) plus something between 0 and ln 2, the same for x and -x. In the loss "
        "p and t meet in one subtraction, and nothing is divided but by N.")),
    ("dense", ("matrix_product", "add", "Dense"), (
        "x and W are the factors of a matrix product; b is added to every row.",
        "Exercise 3 with a = x and b = W, and exercise 2's bias.")),
    ("squared_error", ("mse",), (
        "½ (p - t)² has the derivative p - t in p. And in t?",
        "N is the length of the first axis only. The two gradients differ in one character.")),
    ("l1", ("l1",), (
        "|h| has the slope 1 on the right of 0 and -1 on the left.",
        "np.sign is 0 at 0. Averaged over N, the length of the first axis.")),
    ("gaussian_kl", ("gaussian_kl_terms", "gaussian_kl"), (
        "Write σ² as exp(log_var), and ln σ² as log_var, before you differentiate.",
        "d exp(l)/dl = exp(l), which is σ² itself. The ½ stays in one of the two gradients.")),
    ("reparameterize", ("reparameterize",), (
        "z is a straight line in μ. For log_var, write σ = exp(½ log_var) first.",
        "d exp(½ l)/dl = ½ exp(½ l). ε is a constant factor.")),
    ("sparsity_kl", ("sparsity_kl",), (
        "ρ ln(ρ/ρ̂) = ρ ln ρ - ρ ln ρ̂. Differentiate both terms in ρ̂; the second has 1 - ρ̂ in it, "
        "and so another sign.",
        "∂ρ̂_d/∂h_nd = 1/N for every n: the same row for each example, in the shape of h.")),
    ("jacobian_closed", ("_closed|jacobian_penalty", "jacobian"), (
        "By the chain rule ∂h_nj/∂x_ni = sigmoid'(x W + b)_nj · W_ij, and sigmoid' is h (1 - h).",
        "For J: index with None, or use np.einsum('nj,ij->nji', ...). For the penalty: Σ_i W_ij² is one "
        "number for each unit.")),
    ("unfold", ("unfold",), (
        "For one place (a, b) of the window the patch is a slice: x[:, s a : s a + k, s b : s b + k].",
        "Make y with np.empty((N, oh, ow, k, k, C)) and fill y[:, a, b] in two loops.")),
    ("fold", ("fold", "unfold"), (
        "Turn unfold round: where it read a slice and wrote a patch, read a patch and write the slice.",
        "Patches overlap, so a slice is added to, not set: +=. Begin with zeros. k is cols.shape[3].")),
    ("conv2d", ("conv2d", "_input_gradient", "_kernel_gradient"), (
        "cols = unfold(x) as a matrix, y = cols @ w as matrices. Exercise 3 gives dL/dcols and dL/dw; "
        "unfold's adjoint takes dL/dcols back to x.",
        "Make g and w matrices with reshape, use exercise 3, and reshape what comes out: one to patches "
        "(N, oh, ow, k, k, C), which are then folded, the other to w's shape.")),
    ("conv_transpose2d", ("conv_transpose2d", "_kernel_gradient"), (
        "y = A x, where A is the adjoint of a convolution with the same w. What is the adjoint of A?",
        "In w: it is exercise 18 with the parts exchanged. There patches of x met g; here patches of g "
        "meet x.")),
    ("max_pool", ("max", "max_pool2d"), (
        "Where x equals the maximum of its window, it receives g; elsewhere 0.",
        "y and g with new axes, y[:, :, None, :, None, :], broadcast against the windows. Divide by the "
        "number of entries that tie.")),
    ("getitem", ("getitem", "scatter"), (
        "Zeros of x's shape, to which each row of g is added at its place.",
        "out[index] += g keeps only one of the rows that share a place. xp.add.at adds them all.")),
    ("adam", ("Adam",), (
        "Five lines of algebra, five lines of code. ** is a power: beta1**t.",
        "m̂ and v̂ are for this step only: what is returned is m and v. ε is added after the root.")),
    ("reverse_mode", ("history", "_differentiate"), (
        "First collect the nodes in an order in which every node comes after its inputs: a depth-first "
        "walk that notes a node down when all its inputs have been noted. Then go backwards.",
        "To walk without recursion keep a stack of (node, whether its inputs have been put on it). In "
        "the second pass add shares up: total[x] = total.get(x, 0) + share.")),
    ("second_order", ("grad", "_check"), (
        "The gradient of f is a Tensor with a history, if you ask for that. Multiply it with v, sum, "
        "and take the gradient of this number.",
        "Only the first of the two calls of grad needs create_graph=True.")),
    ("jacobian_double_backward", ("jacobian_penalty|grad", "_rows"), (
        "A loop over the units j: the gradient of h[:, j].sum() in x is row j of every Jacobian.",
        "Square, sum over everything, divide by N; and each gradient needs create_graph=True, or the "
        "penalty is a constant to whoever differentiates it.")),
)
