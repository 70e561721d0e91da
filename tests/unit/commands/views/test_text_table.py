from tmux_exporter.commands.views.text_table import Column, table

COLUMNS = (Column("NAME"), Column("SIZE", right=True), Column("WHY"))


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert table(COLUMNS, [("a", "1", "x"), ("longer", "1000", "y z")]) == [
        "  NAME    SIZE  WHY",
        "  a          1  x",
        "  longer  1000  y z",
    ]


def test_wide_and_combining_characters_are_measured_as_a_terminal_does() -> None:
    _, plain, wide, combined = table(
        COLUMNS, [("abcd", "1", "x"), ("狐🦊", "1", "x"), ("e\u0301tre", "1", "x")]
    )
    assert plain.endswith("abcd     1  x")
    assert wide.endswith("狐🦊     1  x")
    assert combined.endswith("e\u0301tre     1  x")


def test_a_table_without_rows_is_its_heading() -> None:
    assert table(COLUMNS, []) == ["  NAME  SIZE  WHY"]
