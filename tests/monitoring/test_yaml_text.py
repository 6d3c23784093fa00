"""What is written can be read back, by a reader that is not ours."""

import yaml
from hypothesis import given
from hypothesis import strategies as st

from monitoring.yaml_text import Node, dump

# What people write: no control characters but the end of a line, nothing beyond the basic plane.
letters = st.characters(
    max_codepoint=0xD7FF, exclude_categories=("Cc", "Cn", "Co", "Cs", "Zl", "Zp")
)
texts = st.text(st.one_of(letters, st.just("\n")), max_size=30)
nodes: st.SearchStrategy[Node] = st.recursive(
    st.one_of(texts, st.integers(), st.booleans()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(texts.filter(bool), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.text("abcdefgh", min_size=1), nodes, max_size=4))
def test_what_is_written_is_read_back(document: dict[str, Node]) -> None:
    """Whatever the strings are, a YAML parser reads the same values."""
    assert (yaml.safe_load(dump(document)) or {}) == document


def test_expressions_stay_readable() -> None:
    """Several lines become a block, durations and words stay bare, quotes are not escaped."""
    text = dump(
        {"alert": "A", "expr": "up\n== 0", "for": "2m", "labels": {"x": 'job="a"', "y": "on"}}
    )

    assert text == (
        'alert: A\nexpr: |-\n  up\n  == 0\nfor: 2m\nlabels:\n  x: \'job="a"\'\n  "y": "on"\n'
    )
