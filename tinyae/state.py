"""States: dicts of named arrays, as `state_dict` gives them and `load_state_dict` takes them."""

from collections.abc import Mapping


def kinds(state):
    """{name: (dtype, shape)} of the arrays or Tensors in a state."""
    if not isinstance(state, Mapping):
        raise TypeError("load_state_dict: expected a dict of arrays by name, such as the first of "
                        f"arrays, meta = checkpoint.load(path), got {type(state).__name__}")
    return {name: (array.dtype, array.shape) for name, array in state.items()}


def check_fit(came, mine, owner):
    """Raise ValueError that lists every array whose name, dtype or shape, in `kinds`, is not the owner's."""
    wrong = [f"{name} is missing" for name in mine if name not in came]
    wrong += [f"{name} is not in the {owner}" for name in came if name not in mine]
    wrong += [f"{name} is {_in_words(came[name])}, the {owner}'s is {_in_words(kind)}"
              for name, kind in mine.items() if name in came and came[name] != kind]
    if wrong:
        raise ValueError(f"the state does not fit the {owner}: " + "; ".join(wrong))


def _in_words(kind):
    return f"{kind[0]} of shape {kind[1]}"
