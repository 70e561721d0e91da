"""Texts from outside as labels: what is rewritten, what stays, and what happens to equal names."""

import pytest

from tmux_exporter.analysis.labels import label_text, unique_labels


@pytest.mark.parametrize(
    "text",
    [
        "main",
        "",
        " ",
        "n" * 200,
        r"C:\dir\name",
        r"a\nb",
        r"\08",
        r"\40",
        "quotes \" and ' and `",
        "#(touch /tmp/x) $(id) %1 {last}",
        "Straße 東京 עברית",
        "👩‍💻 ❤️ 👍🏽",
        "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",  # the flag of England
        "می‌خواهم",  # spelled with U+200C
        "\ue0b0\uf121",  # icon font
        "\U0001fae9",  # newer than the interpreter's Unicode tables
    ],
)
def test_what_a_person_can_read_stays(text: str) -> None:
    assert label_text(text) == text


@pytest.mark.parametrize(
    ("raw", "label"),
    [
        ("a\nb", r"a\012b"),
        ("a\tb\x00", r"a\011b\000"),
        ("\x1b[31m", r"\033[31m"),
        ("\x7f", r"\177"),
        ("\x9b31m", r"\302\23331m"),
        ("\u2028", r"\342\200\250"),
        ("\u202egpj.exe", r"\342\200\256gpj.exe"),
        ("a\u200bb", r"a\342\200\213b"),
        ("\ufeffa", r"\357\273\277a"),
        ("\U000e0041", r"\363\240\201\201"),
        (b"caf\xe9 \xff".decode("utf-8", "surrogateescape"), r"caf\351 \377"),
        ("\ud800", r"\355\240\200"),
        (r"a\012b", r"a\134012b"),
        (r"\\377", r"\\134377"),
        (r"\400", r"\400"),
    ],
)
def test_what_cannot_be_seen_is_written_in_octal(raw: str, label: str) -> None:
    assert label_text(raw) == label


def test_an_escape_and_the_text_that_looks_like_it_differ() -> None:
    assert label_text("\n") != label_text(r"\012")
    assert label_text("\\\n") != label_text(r"\\012")


def test_nothing_is_cut() -> None:
    assert label_text("\n" * 200) == r"\012" * 200


def test_equal_names_are_numbered_in_order() -> None:
    assert unique_labels({"%1": "api", "%2": "api", "%3": "db", "%4": "api"}) == {
        "%1": "api",
        "%2": "api#2",
        "%3": "db",
        "%4": "api#3",
    }


def test_a_number_never_takes_the_name_of_another() -> None:
    assert unique_labels({1: "api", 2: "api", 3: "api#2", 4: "api#2"}) == {
        1: "api",
        2: "api#3",
        3: "api#2",
        4: "api#2#2",
    }


def test_an_empty_name_becomes_the_text_of_its_key() -> None:
    assert unique_labels({"$3": "", "$4": "$3"}) == {"$3": "$3", "$4": "$3#2"}
    assert unique_labels({7: ""}, fallback=lambda key: f"session {key}") == {7: "session 7"}


def test_names_that_differ_only_in_unprintable_bytes_need_no_number() -> None:
    assert list(unique_labels({1: "a\n", 2: "a\r", 3: r"a\012"}).values()) == [
        r"a\012",
        r"a\015",
        r"a\134012",
    ]
