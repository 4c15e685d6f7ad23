"""Shared functions of the notebooks."""

from __future__ import annotations

import seaborn as sns  # type: ignore[import-untyped]

from notebooks.workbench import PALETTE, genre_colours


def test_genres_have_the_colours_of_the_page() -> None:
    genres = [f"genre {number}" for number in range(9)]

    colours = list(genre_colours(genres).values())

    assert len(set(colours[:8])) == 8
    assert colours[8] == colours[0]
    palette = PALETTE.read_text(encoding="utf-8")
    assert all(f"--genre-{number}: light-dark({colours[number]}, " in palette for number in range(8))


def test_points_are_jittered_alike_in_each_run() -> None:
    def points() -> list[list[float]]:
        genre_colours(["pop"])
        plot = sns.stripplot(x=[0.0] * 9, y=["pop"] * 9)
        positions: list[list[float]] = plot.collections[-1].get_offsets().tolist()
        return positions

    assert points() == points()
