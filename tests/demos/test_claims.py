"""The claims of all demos: each has a name of its own, which begins with that of a lecture's claim."""

import ast
import re

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
OTHERS = {"growth"}  # what the engine claims of itself

ID = r"[a-z0-9-]+\.[a-z-]+"


def claims():
    """(demo, id) of every id with a dot that a demo's `judge` spells out, whether in a call or in a table."""
    for demo in catalogue().values():
        judge = [node for node in demo.syntax().body if isinstance(node, ast.FunctionDef) and "judge" in node.name]
        for node in (node for function in judge for node in ast.walk(function)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(ID, node.value):
                if node.value.partition(".")[0] in LECTURES | OTHERS:
                    yield demo.name, node.value


def test_no_two_demos_make_one_claim():
    """Within a demo `Claims` sees to it."""
    ids = [id for _, id in set(claims())]
    assert len(ids) > 50 and sorted(ids) == sorted(set(ids))


def test_every_call_of_claim_names_one_of_them():
    for demo in catalogue().values():
        for node in ast.walk(demo.syntax()):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "claim":
                if isinstance(node.args[0], ast.Constant):
                    assert node.args[0].value.partition(".")[0] in LECTURES | OTHERS, demo.name


def test_every_claim_of_the_lectures_is_made():
    said = {node.value.partition(".")[0] for demo in catalogue().values() for node in ast.walk(demo.syntax())
            if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    assert len(LECTURES) == 56 and LECTURES <= said
