"""The exercises in their order, with two hints each, and where in tinyae the same rule lives."""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
BLANKS = Path(__file__).parent / "blank"


class Exercise(NamedTuple):
    """name is that of the file, NN_name.py."""

    number: int
    name: str
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


# Where the rule of an exercise stands in tinyae: a name, FILE:name where a name is not clear enough, or a
# file alone; Class.method for a method; the first of several with | that there is. What is not there is
# left out.
POINTERS = {
    "multiply": ("multiply",),
    "sum_broadcast": ("sum", "add", "sum_to"),
    "matmul": ("matrix_product",),
    "adjoints": ("transpose", "reshape"),
    "sigmoid_tanh": ("sigmoid", "tanh"),
    "relu": ("relu",),
    "softmax": ("logsumexp", "softmax"),
    "bernoulli": ("softplus", "bernoulli_terms", "Bernoulli|bernoulli_nll"),
    "dense": ("affine", "Dense"),
    "squared_error": ("mse",),
    "l1": ("losses.py:l1",),
    "gaussian_kl": ("gaussian_kl_terms", "Gaussian.kl|gaussian_kl"),
    "reparameterize": ("Gaussian.sample|reparameterize",),
    "sparsity_kl": ("losses.py:sparsity_kl",),
    "jacobian_closed": ("_closed", "jacobian.py:jacobian"),
    "unfold": ("unfold",),
    "fold": ("fold", "unfold"),
    "conv2d": ("conv2d", "_input_gradient", "_kernel_gradient"),
    "conv_transpose2d": ("conv_transpose2d", "_kernel_gradient"),
    "max_pool": ("max", "max_pool2d"),
    "getitem": ("getitem", "scatter"),
    "adam": ("Adam",),
    "reverse_mode": ("history", "_differentiate"),
    "second_order": ("grad", "gradcheck.py:_check"),
    "jacobian_double_backward": ("jacobian_penalty|penalties.py:jacobian",
                                 "jacobian.py:rows|jacobian.py:_rows"),
    "score_function": ("distributions.py:Bernoulli",),
    "elbo": ("VariationalAutoencoder.elbo", "Gaussian.kl"),
    "gan_losses": ("models/gan.py",),
    "contrastive_divergence": ("models/rbm.py",),
    "info_nce": ("losses.py:info_nce",),
    "embedding": ("Embedding", "getitem", "scatter"),
    "importance_bound": ("VariationalAutoencoder.log_weights", "VariationalAutoencoder.importance_bound"),
}


def places(exercise):
    """[(name, file, line)] of the rules in tinyae that an exercise is about, as the files are now."""
    found = (next(filter(None, map(_place, pointer.split("|"))), None)
             for pointer in POINTERS[exercise.name])
    return [place for place in found if place]


def _place(pointer):
    file, _, name = pointer.rpartition(":")
    if name.endswith(".py"):
        file, name = name, ""
    for path in sorted((ROOT / "tinyae").rglob("*.py")):
        if path.as_posix().endswith(f"/{file}" if file else ""):
            line = _line_of(name, path.read_text(encoding="utf-8").splitlines())
            if line:
                return name or path.stem, path.relative_to(ROOT).as_posix(), line
    return None


def _line_of(name, lines):
    """The number of the line with the definition of the name, best of all with its rule; or None."""
    if not name:
        return 1
    holder, _, method = name.rpartition(".")
    if holder:
        first = _line_of(holder, lines)
        body = lines[first:] if first else []
        end = next((n for n, line in enumerate(body) if re.match(r"\S", line)), len(body))
        return next((first + n for n, line in enumerate(body[:end], 1)
                     if line.startswith(f"    def {method}(")), None)
    starts = [n for n, line in enumerate(lines, 1)
              if re.match(rf"(def {name}\(|{name}\.defvjp\(|class {name}\b)", line)]
    rules = [n for n in starts if "defvjp(" in lines[n - 1]]
    return (rules or starts or [None])[0]


def _exercises(*rows):
    return [Exercise(number, *row) for number, row in enumerate(rows, 1)]


EXERCISES = _exercises(
    ("multiply", (
        "Hold b still. If one entry of a grows by a little, by how much does that entry of y grow?",
        "y = a b is a straight line in a. Its slope is the other factor; g scales it.")),
    ("sum_broadcast", (
        "In the sum, x_ij turns up in y_j alone, with slope 1: so what is dL/dx_ij? In the bias, b_j "
        "turns up in every row of y.",
        "One needs g repeated down the rows (np.broadcast_to), the other g summed over the rows.")),
    ("matmul", (
        "∂y_ij/∂a_ik = b_kj. So dL/da_ik = Σ_j g_ij b_kj: which matrix has b_kj in row j and column k?",
        "Each is g times the other factor transposed. On which side g stands, the shapes say.")),
    ("adjoints", (
        "Axis i of y is axis axes[i] of x. So which axis of y is axis k of x? "
        "For reshape: the order of the entries never changed.",
        "np.argsort(axes) is the inverse of a permutation.")),
    ("sigmoid_tanh", (
        "Write sigmoid as 1/u with u = 1 + e⁻ˣ, differentiate, and look for y and 1 - y in what comes "
        "out. For tanh, use the quotient rule.",
        "sigmoid: e⁻ˣ / (1 + e⁻ˣ) is 1 - y. tanh: the quotient rule leaves 1 minus a square.")),
    ("relu", (
        "The slope is 1 or 0. A comparison of arrays gives exactly that, as True or False.",
        "Mind x = 0: which of > and >= gives the slope 0 there?")),
    ("softmax", (
        "The derivative of log-sum-exp is softmax; write it with y and one exp. For softmax, "
        "∂y_j/∂x_k = y_j (δ_jk - y_k): put it into Σ_j g_j ∂y_j/∂x_k and take the sum apart.",
        "The second is y times (g minus one number for each row). That number is a sum over the row; "
        "keep its axis (keepdims=True) so that it broadcasts.")),
    ("bernoulli", (
        "d softplus(x)/dx is the sigmoid. In the loss, softplus(l) - t l has a derivative of two terms.",
        "softplus is max(x, 0) plus something between 0 and ln 2, the same for x and -x. In the loss "
        "p and t meet in one subtraction, and nothing is divided but by N.")),
    ("dense", (
        "x and W are the factors of a matrix product; b is added to every row.",
        "Exercise 3 with a = x and b = W, and exercise 2's bias.")),
    ("squared_error", (
        "½ (p - t)² has the derivative p - t in p. And in t?",
        "N is the length of the first axis only. The two gradients differ in one character.")),
    ("l1", (
        "|h| has the slope 1 on the right of 0 and -1 on the left.",
        "np.sign is 0 at 0. Averaged over N, the length of the first axis.")),
    ("gaussian_kl", (
        "Write σ² as exp(log_var), and ln σ² as log_var, before you differentiate.",
        "d exp(l)/dl = exp(l), which is σ² itself. The ½ stays in one of the two gradients.")),
    ("reparameterize", (
        "z is a straight line in μ. For log_var, write σ = exp(½ log_var) first.",
        "d exp(½ l)/dl = ½ exp(½ l). ε is a constant factor.")),
    ("sparsity_kl", (
        "ρ ln(ρ/ρ̂) = ρ ln ρ - ρ ln ρ̂. Differentiate both terms in ρ̂; the second has 1 - ρ̂ in it, "
        "and so another sign.",
        "∂ρ̂_d/∂h_nd = 1/N for every n: the same row for each example, in the shape of h.")),
    ("jacobian_closed", (
        "By the chain rule ∂h_nj/∂x_ni = sigmoid'(x W + b)_nj · W_ij, and sigmoid' is h (1 - h).",
        "For J: index with None, or use np.einsum('nj,ij->nji', ...). For the penalty: Σ_i W_ij² is one "
        "number for each unit.")),
    ("unfold", (
        "For one place (a, b) of the window the patch is a slice: x[:, s a : s a + k, s b : s b + k].",
        "Make y with np.empty((N, oh, ow, k, k, C)) and fill y[:, a, b] in two loops.")),
    ("fold", (
        "Turn unfold round: where it read a slice and wrote a patch, read a patch and write the slice.",
        "Patches overlap, so a slice is added to, not set: +=. Begin with zeros. k is cols.shape[3].")),
    ("conv2d", (
        "cols = unfold(x) as a matrix, y = cols @ w as matrices. Exercise 3 gives dL/dcols and dL/dw; "
        "unfold's adjoint takes dL/dcols back to x.",
        "Make g and w matrices with reshape, use exercise 3, and reshape what comes out: one to patches "
        "(N, oh, ow, k, k, C), which are then folded, the other to w's shape.")),
    ("conv_transpose2d", (
        "y = A x, where A is the adjoint of a convolution with the same w. What is the adjoint of A?",
        "In w: it is exercise 18 with the parts exchanged. There patches of x met g; here patches of g "
        "meet x.")),
    ("max_pool", (
        "Where x equals the maximum of its window, it receives g; elsewhere 0.",
        "y and g with new axes, y[:, :, None, :, None, :], broadcast against the windows. Divide by the "
        "number of entries that tie.")),
    ("getitem", (
        "Zeros of x's shape, to which each row of g is added at its place.",
        "out[index] += g keeps only one of the rows that share a place. xp.add.at adds them all.")),
    ("adam", (
        "Five lines of algebra, five lines of code. ** is a power: beta1**t.",
        "m̂ and v̂ are for this step only: what is returned is m and v. ε is added after the root.")),
    ("reverse_mode", (
        "First collect the nodes in an order in which every node comes after its inputs: a depth-first "
        "walk that notes a node down when all its inputs have been noted. Then go backwards.",
        "To walk without recursion keep a stack of (node, whether its inputs have been put on it). In "
        "the second pass add shares up: total[x] = total.get(x, 0) + share.")),
    ("second_order", (
        "The gradient of f is a Tensor with a history, if you ask for that. Multiply it with v, sum, "
        "and take the gradient of this number.",
        "Only the first of the two calls of grad needs create_graph=True.")),
    ("jacobian_double_backward", (
        "A loop over the units j: the gradient of h[:, j].sum() in x is row j of every Jacobian.",
        "Square, sum over everything, divide by N; and each gradient needs create_graph=True, or the "
        "penalty is a constant to whoever differentiates it.")),
    ("score_function", (
        "ln p(b) = Σ_d b_d ln p_d + (1 - b_d) ln(1 - p_d). In the logits, each term is b · logit - "
        "softplus(logit).",
        "The score is b minus something. In the estimate (f - baseline) is one number for each draw: "
        "give it an axis more, and take the mean over axis 0.")),
    ("elbo", (
        "The mean over S and N divides by the product of two lengths, the sum over D by none. For softplus "
        "see exercise 8.",
        "np.logaddexp(0, logits) is softplus. For the KL, write s² as exp(log_var); put the prior equal to "
        "q, and see that 0 comes out.")),
    ("gan_losses", (
        "-ln sigmoid(l) = softplus(-l), and -ln(1 - sigmoid(l)) = softplus(l).",
        "np.logaddexp(0, x) is softplus. Its derivative is the sigmoid; mind the minus inside. To stay "
        "finite, exponentiate only what is negative.")),
    ("contrastive_divergence", (
        "Five lines for the chain: p(h | v), h, p(v | h), v', p(h | v'). A comparison of arrays makes a draw.",
        "v.T @ p sums v_i p_j over the examples. Divide by N; for b and c it is the mean of the "
        "difference.")),
    ("info_nce", (
        "Divide each row by its length (keepdims=True), then one matrix product. -ln softmax(s)_n is "
        "logsumexp(s) - s_n.",
        "The derivative of logsumexp is softmax, that of the diagonal entry is 1. Take the maximum of a row "
        "from it before you exponentiate.")),
    ("embedding", (
        "Zeros of the table's shape, to which each word's share is added at the word's row.",
        "np.add.at(out, words, shares) takes words of any shape; shares is (N, T, E). In the bag every word "
        "of a sentence has the same share, g[:, None] / T.")),
    ("importance_bound", (
        "In ln w the three logarithms are added and taken away, each summed over D; give mean and log_var "
        "an axis for the draws. ln(1/K Σ w) = logsumexp(ln w) - ln K.",
        "The gradient of logsumexp is softmax: each draw has its normalised weight, over the K of its "
        "example.")),
)
