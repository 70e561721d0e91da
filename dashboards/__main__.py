"""Write every board into `json/`."""

from pathlib import Path

from dashboards.boards import BOARDS
from dashboards.frame import as_json

JSON = Path(__file__).parent / "json"


def main() -> None:
    """Write the files that are committed."""
    JSON.mkdir(exist_ok=True)
    for name, make in BOARDS.items():
        (JSON / f"{name}.json").write_text(as_json(make()), encoding="utf-8")


if __name__ == "__main__":
    main()
