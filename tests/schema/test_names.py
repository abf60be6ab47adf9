"""Collections are named as English names several of a thing."""

from __future__ import annotations

import pytest

from pellucid.schema.names import collection_name


@pytest.mark.parametrize(
    ("name", "collection"),
    [
        ("City", "cities"),
        ("Category", "categories"),
        ("Day", "days"),
        ("Address", "addresses"),
        ("Box", "boxes"),
        ("Branch", "branches"),
        ("Person", "people"),
        ("Child", "children"),
        ("PostTag", "post_tags"),
        ("OrderLine", "order_lines"),
        ("HTTPLog", "http_logs"),
        ("Staff", "staff"),
        ("News", "news"),
        ("Country", "countries"),
        ("Analysis", "analyses"),
        ("User2", "user2s"),
        ("Key", "keys"),
        ("Movie", "movies"),
        ("Shoe", "shoes"),
        ("Hero", "heroes"),
        ("Photo", "photos"),
        ("Quiz", "quizzes"),
        ("Product", "products"),
    ],
)
def test_a_model_gives_its_collection_a_name(name: str, collection: str) -> None:
    assert collection_name(name) == collection
