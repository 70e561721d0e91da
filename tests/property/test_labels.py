"""Labels for any bytes whatever: lossless where they are not cut, printable, bounded, unique."""

import re
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from tmux_exporter.analysis.labels import unique_labels
from tmux_exporter.facts.label import LONGEST, bounded, is_label, label_text, suffixed, visible_text

_ESCAPE = re.compile(rb"\\([0-3][0-7]{2})")

_RAW = st.one_of(
    st.binary(max_size=300),
    st.text(max_size=150).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.lists(
        st.sampled_from([b"\\", b"0", b"1", b"7", b"\n", b"\\012", b"\xff", b"\xc2\x80"]), max_size=12
    ).map(b"".join),
)


def _decode(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _bytes_of(label: str) -> bytes:
    return _ESCAPE.sub(lambda match: bytes([int(match[1], 8)]), label.encode("utf-8"))


@given(_RAW)
def test_what_is_visible_gives_back_the_bytes_it_came_from(raw: bytes) -> None:
    assert _bytes_of(visible_text(_decode(raw))) == raw


@given(st.text(st.characters(), max_size=300) | _RAW.map(_decode), st.integers(2, 10**6))
def test_a_label_is_bounded_and_says_that_it_is_one(raw: str, number: int) -> None:
    label, whole = label_text(raw), visible_text(raw)
    numbered = suffixed(label, f"#{number}")
    assert max(len(each.encode()) for each in (label, numbered)) <= LONGEST
    assert is_label(label)
    assert is_label(numbered)
    assert numbered.endswith(f"#{number}")
    assert bounded(label) == label
    if len(whole.encode()) <= LONGEST:
        assert label == whole
    else:
        assert whole.startswith(label.rpartition("~")[0])


@given(_RAW, _RAW)
def test_two_raw_texts_never_share_a_label(one: bytes, other: bytes) -> None:
    assert (label_text(_decode(one)) == label_text(_decode(other))) == (one == other)


@given(st.text(st.characters(), max_size=60) | _RAW.map(_decode))
def test_a_label_has_no_control_character_and_encodes(raw: str) -> None:
    label = label_text(raw)
    label.encode("utf-8")
    assert not [c for c in label if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp")]
    assert not [
        c
        for c in label
        if unicodedata.bidirectional(c) in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
    ]


@given(st.text(st.characters(categories=["L", "N", "S", "P", "Zs"], exclude_characters="\\"), max_size=32))
def test_printable_text_is_its_own_label(text: str) -> None:
    assert label_text(text) == text
    assert label_text(label_text(text)) == text


@given(
    st.dictionaries(
        st.integers(), st.sampled_from(["", "a", "a#2", "a#2#2", "a#3", "b", "\n", r"\012", "1"]), max_size=20
    )
)
def test_labels_of_a_mapping_are_unique_and_the_first_holder_keeps_its_name(raws: dict[int, str]) -> None:
    labels = unique_labels(raws)
    assert list(labels) == list(raws)
    assert len(set(labels.values())) == len(labels)
    holders: dict[str, int] = {}
    for key, raw in raws.items():
        holders.setdefault(label_text(raw or str(key)), key)
    assert all(labels[key] == name for name, key in holders.items())
