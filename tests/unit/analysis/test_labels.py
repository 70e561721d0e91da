"""Labels of foreign text: what is escaped, what stays, and equal names."""

import pytest

from tmux_exporter.analysis.labels import labelled, unique_labels
from tmux_exporter.facts.host import FileSystem, HostFacts, NetworkDevice
from tmux_exporter.facts.label import LONGEST, is_label, label_text, suffixed, visible_text


@pytest.mark.parametrize(
    "text",
    [
        "main", "", " ", "n" * 128, "Ω" * 64, r"C:\dir\name", r"a\nb", r"\08", r"\40",
        "quotes \" and ' and `", "#(touch /tmp/x) $(id) %1 {last}", "Straße 東京 עברית", "👩‍💻 ❤️ 👍🏽",
        "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",  # the flag of England
        "می‌خواهم",  # spelled with U+200C
        "\ue0b0\uf121",  # icon font
        "\U0001fae9",  # newer than the interpreter's Unicode tables
    ],
)  # fmt: skip
def test_what_a_person_can_read_stays(text: str) -> None:
    assert label_text(text) == text


@pytest.mark.parametrize(
    ("raw", "label"),
    [
        ("a\nb", r"a\012b"), ("a\tb\x00", r"a\011b\000"), ("\x1b[31m", r"\033[31m"), ("\x7f", r"\177"),
        ("\x9b31m", r"\302\23331m"), ("\u2028", r"\342\200\250"), ("\u202egpj.exe", r"\342\200\256gpj.exe"),
        ("a\u200bb", r"a\342\200\213b"), ("\ufeffa", r"\357\273\277a"), ("\U000e0041", r"\363\240\201\201"),
        (b"caf\xe9 \xff".decode("utf-8", "surrogateescape"), r"caf\351 \377"), ("\ud800", r"\355\240\200"),
        (r"a\012b", r"a\134012b"), (r"\\377", r"\\134377"), (r"\400", r"\400"),
    ],
)  # fmt: skip
def test_what_cannot_be_seen_is_written_in_octal(raw: str, label: str) -> None:
    assert label_text(raw) == label


def test_an_escape_and_the_text_that_looks_like_it_differ() -> None:
    assert label_text("\n") != label_text(r"\012")
    assert label_text("\\\n") != label_text(r"\\012")


def test_a_terminal_gets_all_of_a_text() -> None:
    assert visible_text("\n" * 200) == r"\012" * 200


@pytest.mark.parametrize(
    ("raw", "start"),
    [
        ("n" * 129, "n" * 115),
        ("n" * 200_000, "n" * 115),
        # In the middle of a character, of an escape, of a joined emoji, of a flag.
        ("Ω" * 65, "Ω" * 57),
        ("\n" * 65, r"\012" * 28 + r"\01"),
        ("n" * 110 + "👩‍💻" * 9, "n" * 110 + "👩"),
        ("n" * 99 + "\U0001f3f4" + "\U000e0067" * 9 + "\U000e007f", "n" * 99 + "\U0001f3f4"),
        ("\udcff" * 129, r"\377" * 28 + r"\37"),
    ],
)
def test_a_long_text_ends_in_a_hash(raw: str, start: str) -> None:
    label = label_text(raw)
    head, mark, digest = label.rpartition("~")
    assert (head, mark, len(digest)) == (start, "~", 12)
    assert len(label.encode()) <= LONGEST
    assert is_label(label)
    assert label == label_text(raw), "the same at every start"
    assert label != label_text(f"{raw[:-1]}m")


def test_what_is_added_to_a_long_label_stays_at_its_end() -> None:
    long = label_text("n" * 127)
    assert suffixed("api", "#2") == "api#2"
    assert suffixed(long[:126], "#2") == long[:126] + "#2"
    label = suffixed(long, "#12")
    assert label.endswith("#12") and label.startswith("n" * 100) and len(label) == LONGEST
    assert label != suffixed(label_text("n" * 128), "#12")


def test_long_names_that_begin_the_same_are_told_apart_and_equal_ones_numbered() -> None:
    found = unique_labels({1: "n" * 500, 2: "n" * 501, 3: "n" * 500})
    assert len({*found.values()}) == 3
    assert found[3].endswith("#2")
    assert all(len(each) <= LONGEST for each in found.values())


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


def test_names_of_the_host_become_labels() -> None:
    space = FileSystem(size_bytes=2, available_bytes=1)
    device = NetworkDevice(received_bytes=1, sent_bytes=2)
    shown = labelled(
        HostFacts(
            load1=1.0,
            disk_io_seconds={"sd\x01": 1.0},
            filesystems={"/a\nb": space, r"/a\012b": space, "/\udcff": space},
            networks={"\x7f": device},
        )
    )
    assert shown == HostFacts(
        load1=1.0,
        disk_io_seconds={r"sd\001": 1.0},
        filesystems={r"/a\012b": space, r"/a\134012b": space, r"/\377": space},
        networks={r"\177": device},
    )
