"""The claims of all demos: each has a name of its own, which begins with that of a claim of the lectures."""

import ast

from demos.catalogue import catalogue

LECTURES = set("""
    pca-line pca-subspace nonlinear manifold code-size index-map gradient deep-vs-shallow overcomplete
    laplace sparse-l1 sparse-kl denoise vector-field contractive jacobian-cost dae-cae balance psd
    convt-size convt-adjoint conv-ae faces
    kl elbo intractable reparameterise stochastic vae vae-balance ae-islands
    arithmetic editing disentangle conditional outlier
    gan gan-variants blur augment saliency adversarial
    rbm pretrain semi-supervised
    local-vs-distributed context dense-vs-sparse transfer multitask one-shot zero-shot hashing compression
    contrastive invariance""".split())


def claims():
    """(demo, id) of every call `claim("id", ...)` and of every id that a table of a demo pairs with one."""
    for demo in catalogue().values():
        for node in ast.walk(demo.syntax()):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "claim":
                if isinstance(node.args[0], ast.Constant):
                    yield demo.name, node.args[0].value


def test_every_claim_has_a_name_of_its_own():
    ids = [id for _, id in claims()]
    assert len(ids) > 50 and sorted(ids) == sorted(set(ids))


def test_every_claim_is_one_of_the_lectures():
    assert {id.partition(".")[0] for _, id in claims()} <= LECTURES
