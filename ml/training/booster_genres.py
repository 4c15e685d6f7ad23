"""Change the genres of a booster without training it again."""

from __future__ import annotations

from collections.abc import Sequence

from ml.model.boosters import lgb, load_booster

_TREE = "\nTree="
_CONSTANT = """
num_leaves=1
num_cat=0
split_feature=
split_gain=
threshold=
decision_type=
left_child=
right_child=
leaf_value={value!r}
leaf_weight=
leaf_count=0
internal_value=
internal_weight=
internal_count=
is_linear=0
shrinkage=1

"""


def with_genres(
    booster: lgb.Booster, genres: Sequence[str], wanted: Sequence[str], *, rounds: int, score: float
) -> lgb.Booster:
    """Return the first rounds of a booster, with other genres.

    LightGBM only continues from a booster with the same number of classes. A round has a tree per class, so a
    genre is added as trees with one leaf, and removed with its trees.

    Args:
        booster: the booster to change.
        genres: its genres, in order.
        wanted: the new genres, in order.
        rounds: the number of rounds to keep.
        score: log-odds of each new genre, for any song.
    """
    text = booster.model_to_string(num_iteration=rounds)
    trees_text, end, rest = text.partition("\nend of trees")
    header, *trees = trees_text.split(_TREE)
    by_round = [trees[first : first + len(genres)] for first in range(0, len(trees), len(genres))]
    made: list[str] = []
    for number, trees_of_round in enumerate(by_round):
        constant = _CONSTANT.format(value=0.0 if number else score)
        bodies = {genre: tree[tree.index("\n") :] for genre, tree in zip(genres, trees_of_round, strict=True)}
        made += [bodies.get(genre, constant) for genre in wanted]
    lines = [_changed(line, len(wanted)) for line in header.split("\n")]
    numbered = (f"{number}{body}" for number, body in enumerate(made))
    return load_booster(_TREE.join(["\n".join(lines), *numbered]) + end + rest)


def _changed(line: str, classes: int) -> str:
    name = line.partition("=")[0]
    if name in ("num_class", "num_tree_per_iteration"):
        return f"{name}={classes}"
    if name == "objective":
        return f"objective=multiclass num_class:{classes}"
    return "" if name == "tree_sizes" else line  # without sizes, LightGBM searches for the trees
