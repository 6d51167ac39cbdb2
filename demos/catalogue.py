"""Which demos there are: the modules in the folders of the chapters. To list them imports none of them."""

import ast
import pkgutil
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent
CHAPTERS = {
    "autoencoders": "Autoencoders",
    "regularised": "Regularised autoencoders",
    "convolutional": "Convolutional autoencoders",
    "variational": "Variational autoencoders",
    "latent": "In latent space",
    "adversarial": "Adversarial networks",
    "pretraining": "Pre-training and energy",
    "representations": "Representations and what they are for",
    "engine": "The engine",
}
# The order in which to meet the demos of a chapter; those that are not here follow by name.
ORDER = """line pca gradient deep depth manifold memorise overcomplete
    laplace sparse sparse_kl sparse_coding denoising vector_field denoising_contracts contracting_field
    contractive tangents balance jacobian_cost jacobian_estimate
    convolution conv_autoencoder faces
    divergence bound reparameterise likelihoods vae importance collapse islands
    editing arithmetic disentangle conditional outliers
    game modes gan conditional_gan infogan blur saliency adversarial augment
    rbm rbm_digits pretrain semi_supervised few_labels
    words context codes transfer multitask one_shot zero_shot contrastive hashing compression invariance
    """.split()


class Demo(NamedTuple):
    """A demo and its chapter, by the names of its file and folder; the rest stands in the file."""

    name: str
    chapter: str

    @property
    def module(self):
        """The name by which it is imported."""
        return f"demos.{self.chapter}.{self.name}"

    @property
    def title(self):
        """Its sentence: the first line of the docstring."""
        text = ast.get_docstring(self.syntax())
        if not text:
            raise ValueError(f"{self.path} has no docstring; its first line should say what the demo shows")
        return text.splitlines()[0]

    @property
    def data(self):
        """The kinds of data among which --data chooses: the file's DATA, none where the data is its own."""
        return self.constant("DATA", ())

    @property
    def timed(self):
        """Whether it measures times, and nothing should run beside it: the file's TIMED."""
        return self.constant("TIMED", False)

    @property
    def path(self):
        """Its file."""
        return FOLDER / self.chapter / f"{self.name}.py"

    def constant(self, name, default):
        """The value that the file gives to that name, or the default."""
        for node in self.syntax().body:
            match node:
                case ast.Assign(targets=[ast.Name(id=found)], value=value) if found == name:
                    return ast.literal_eval(value)
        return default

    def syntax(self):
        """The file's syntax tree: what it says, without running it."""
        return ast.parse(self.path.read_text(encoding="utf-8"), self.path)


def catalogue():
    """{name: Demo}, chapter by chapter, in the order in which to meet them."""
    demos = {}
    for chapter in CHAPTERS:
        names = [module.name for module in pkgutil.iter_modules([str(FOLDER / chapter)])
                 if not module.ispkg and not module.name.startswith("_")]
        for name in sorted(names, key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER)):
            demo = Demo(name, chapter)
            if demo.name in demos:
                raise ValueError(f"two demos have one name: {demos[demo.name].module} and {demo.module}")
            demos[demo.name] = demo
    return demos
