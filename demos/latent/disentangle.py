"""With a large β a dimension of a VAE tells more of one factor and less of the others, at a price.

The lectures: a diagonal prior makes latent dimensions independent and interpretable. Faces are drawn of
one person in which four factors vary, and models with four dimensions are trained on them: an autoencoder,
and VAEs with several weights β of the KL term (Higgins et al. 2017). A table says what share of the
information about each factor each dimension holds. Its mutual-information gap is how much more the most
telling dimension tells than the next, averaged over the factors (Chen et al. 2018, here of the means of
q(z | x)); as a gap depends on the initial weights as much as on β (Locatello et al. 2019), several are tried.

It holds only in part. With β = 1 the prior is as diagonal, and yet the gap is that of an autoencoder, whose
dimensions mean nothing by themselves: each is whatever mixture of factors the initial weights lead to. It
takes a β so large that z is noisy and it pays to keep apart what changes different pixels; even then no
dimension tells all of its factor. The price is detail: the smile, which changes few pixels, is lost. (For a
Gaussian p(x | z) a larger β is the same as more noise: β = 256 for pixels with σ = 0.1 is β = 1 for σ = 1.6.)
Pose and light are left out: they change the pixels that other factors change, and stay mixed with them.

The images enter as their first 50 principal components, which hold 99.99% of their variance: a rotation
keeps every squared error, and a network for 50 numbers is trained in two seconds.
"""

import numpy as np

from demos import figures, portraits
from demos.measures import information_table, mutual_information_gap, pca, ratio
from tinyae import distributions, models, nn, optim

LECTURES = "L1 L4 L5"
EPOCHS = {"all": 60, "quick": 2}
FACTORS = ("background", "hair length", "skin", "smile")
PERSON = {"identity": 11, "face_width": 7.4, "brow": 1.0, "hair_colour": 1, "glasses": 0, "beard": 0,
          "hat": 0, "pose": 0.0}
NOISE = 0.1  # the standard deviation of a pixel in p(x | z), which gives β its scale
AXES = 50  # principal axes
LATENT, HIDDEN = len(FACTORS), (100, 100)
AUTOENCODER, PLAIN, HIGH = "autoencoder", "β = 1", "β = 256"
MODELS = {AUTOENCODER: None, PLAIN: 1, "β = 16": 16, HIGH: 256}
STARTS = 3  # draws of the initial weights


def main(run):
    images, _ = faces(run.pick(3_000, 500), run.rng("train"))
    held_out, factors = faces(run.pick(2_000, 500), run.rng("test"))
    space = Components(run, images)
    x, x_new = space.components(images), space.components(held_out)
    starts = range(run.pick(STARTS, 1))
    found = {name: [look_at(run, space, beta, start, x, x_new, factors) for start in starts]
             for name, beta in MODELS.items()}

    gaps, errors = ({name: [model[key] for model in of_name] for name, of_name in found.items()}
                    for key in ("gap", "error"))
    typical = {name: sorted(of_name, key=lambda model: model["gap"])[len(of_name) // 2]
               for name, of_name in found.items()}
    run.note(gap=gaps, squared_error=errors, table={name: model["table"] for name, model in typical.items()})
    judge(run.claim, gaps, errors)
    draw_gaps(run, gaps, errors)
    draw_tables(run, typical)
    draw_traversals(run, space, typical)


def faces(n, rng):
    """Faces of one person, and the factors (n, 4) that vary between them, from 0 to 1."""
    factors = rng.random((n, len(FACTORS)))
    grey, hair_length, skin, smile = factors.T
    background = np.repeat(0.4 + 0.55 * grey[:, None], 3, axis=1)
    images, _ = portraits.passport(n, rng, **PERSON, background=background, hair_length=hair_length,
                                   skin=skin, smile=2 * smile - 1)
    return images, factors


class Components:
    """Images as their first principal components, in units of a pixel's noise, and back."""

    def __init__(self, run, images):
        self.run, self.shape = run, images.shape[1:]
        self.mean, self.axes = pca(images, AXES)
        spread = self.components(images).std(axis=0)
        self.scale = np.sqrt(spread * spread[0])  # halfway between all components alike and their own spread

    def components(self, images):
        """The components (N, 50) of images."""
        return ((images.reshape(len(images), -1) - self.mean) @ self.axes / NOISE).astype(np.float32)

    def images(self, components):
        """The images of components."""
        return (components * NOISE @ self.axes.T + self.mean).reshape(-1, *self.shape).astype(np.float32)

    def model(self, beta, rng):
        """A VAE with that β, or an autoencoder where it is None, of components, scaled for its networks."""
        statistics = 1 if beta is None else 2
        encoder, decoder = models.dense_networks((AXES,), HIDDEN, LATENT, rng, statistics)
        scale = self.run.tensor(self.scale)
        encoder = nn.Sequential(lambda x: x / scale, *encoder.layers)
        decoder = nn.Sequential(*decoder.layers, lambda x: x * scale)
        if beta is None:
            return models.Autoencoder(encoder, decoder)
        return models.VariationalAutoencoder(encoder, decoder, LATENT, likelihood=distributions.SquaredError,
                                             beta=beta)


def look_at(run, space, beta, start, x, x_new, factors):
    """A trained model, its codes of held-out faces, their table and gap, and the squared error per face."""
    model = space.model(beta, run.rng(f"weights {start}"))
    run.fit(model, x, lr=optim.one_cycle(5e-3), rng=run.rng(f"training {start}"),
            what=f"{'autoencoder' if beta is None else f'β = {beta}'}, initial weights {start + 1}")
    codes = run.apply(lambda x: model.encode(x) if beta is None else model.encode(x).mean, x_new)
    table = information_table(codes, factors)
    error = ((run.apply(model.reconstruct, x_new) - x_new) ** 2).sum(axis=1).mean() * NOISE**2
    return {"model": model, "codes": codes, "table": table, "gap": mutual_information_gap(table),
            "error": float(error)}


def judge(claim, gaps, errors):
    """{model: the gap, the squared error, for each draw of the initial weights}."""
    high = np.mean(gaps[HIGH])
    claim("disentangle", "a diagonal prior makes latent dimensions interpretable, if its weight is large",
          f"mutual-information gap with {HIGH}, less that with {PLAIN}, mean over initial weights:",
          high - np.mean(gaps[PLAIN]), at_least=0.15)
    claim("disentangle.autoencoder", "and the dimensions of an autoencoder are not",
          f"the gap with {HIGH}, less that of an autoencoder:", high - np.mean(gaps[AUTOENCODER]),
          at_least=0.15)
    claim("disentangle.price", "the price is detail",
          f"squared error of held-out faces with {HIGH}, relative to {PLAIN}:",
          ratio(np.mean(errors[HIGH]), np.mean(errors[PLAIN])), at_least=2)


def draw_gaps(run, gaps, errors):
    """The gap and the error for every model, a point for each draw of the initial weights."""
    fig = figures.figure(10, 4.4, "What a larger β buys: a gap of "
                         f"{np.mean(gaps[HIGH]):.2f} instead of {np.mean(gaps[PLAIN]):.2f}; what it costs: "
                         f"{ratio(np.mean(errors[HIGH]), np.mean(errors[PLAIN])):.1f} times the error")
    for axes, values, name, colour in zip(fig.subplots(1, 2), (gaps, errors), (
            "mutual-information gap", "squared error per held-out face"), (0, 6)):
        for place, of_name in enumerate(values.values()):
            axes.plot([place] * len(of_name), of_name, "o", color=figures.COLOURS[colour], alpha=0.6)
        axes.plot([np.mean(of_name) for of_name in values.values()], "_", color=figures.COLOURS[colour],
                  markersize=26, markeredgewidth=3, label="mean over initial weights")
        axes.set_xticks(range(len(values)), values)
        axes.set(ylabel=name, ylim=(0, None), xlim=(-0.5, len(values) - 0.5))
        axes.grid(axis="y", alpha=0.3)
        axes.legend(loc="upper left", frameon=False)
    run.save(fig, "gaps.png", "the mutual-information gap, left, and the squared error, right, of an "
             "autoencoder and of VAEs with three β")


def in_order(table):
    """The dimensions in the order of the factors of which they hold the largest shares."""
    return np.lexsort((-table.max(axis=0), table.argmax(axis=0)))


def draw_tables(run, typical):
    """What share of the information about each factor each dimension holds, for three models."""
    shown = {name: typical[name]["table"] for name in (AUTOENCODER, PLAIN, HIGH)}
    told = {name: table.max(axis=1).mean() for name, table in shown.items()}
    fig = figures.figure(11, 3.9, "The share of a factor's information in each dimension; the largest of a "
                         f"row is\n{told[PLAIN]:.2f} with {PLAIN} and {told[HIGH]:.2f} with {HIGH}, on average")
    for axes, (name, table) in zip(fig.subplots(1, 3, sharey=True), shown.items()):
        table = table[:, in_order(table)]
        picture = axes.imshow(table, cmap="cividis", vmin=0, vmax=1)
        for (row, column), share in np.ndenumerate(table):
            axes.text(column, row, f"{share:.2f}", ha="center", va="center",
                      color="black" if share > 0.5 else "white")
        axes.set_xticks(range(LATENT), [("h" if name == AUTOENCODER else "z") + i for i in "₁₂₃₄"])
        axes.set_yticks(range(len(FACTORS)), FACTORS)
        axes.set_title(f"{name}: gap {typical[name]['gap']:.2f}", fontsize=11)
    fig.colorbar(picture, ax=fig.axes, shrink=0.8)
    run.save(fig, "tables.png", "three tables, each cell coloured by the share of a factor's information "
             "that is in a dimension: of the autoencoder, and of VAEs with a small and a large β")


def draw_traversals(run, space, typical):
    """What changes when one dimension does and the others keep their median."""
    fig = figures.figure(11.5, 3.9, "One dimension at a time, from the 2nd to the 98th percentile of its "
                         "codes,\nwith the factor of which it holds most, and what share")
    steps = np.linspace(0.02, 0.98, 7)
    for axes, name in zip(fig.subplots(1, 2), (AUTOENCODER, HIGH)):
        model, codes, table = (typical[name][key] for key in ("model", "codes", "table"))
        z = np.tile(np.median(codes, axis=0), (LATENT, len(steps), 1))
        for row, dimension in enumerate(in_order(table)):
            z[row, :, dimension] = np.quantile(codes[:, dimension], steps)
        made = space.images(run.apply(model.decoder, z.reshape(-1, LATENT).astype(np.float32)))
        figures.show_images(axes, made, len(steps), f"{name}: gap {typical[name]['gap']:.2f}")
        tells = [f"{FACTORS[of_factors.argmax()]}\n{of_factors.max():.2f}" for of_factors in table.T]
        axes.set_yticks(33 * np.arange(LATENT) + 16, [tells[dimension] for dimension in in_order(table)])
        axes.tick_params(length=0)
    run.save(fig, "traversals.png", "rows of faces, each along one dimension: of the autoencoder, and of "
             "the VAE with the largest β")
