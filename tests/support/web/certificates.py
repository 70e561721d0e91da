"""Certificates by the openssl command: an authority, and what it signs; keys on a curve, which are quick."""

import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from tests.support.wait import wait_for

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
PASSWORD = "s3cret"
HASH = "$2y$04$HeNfFGON.e2yYerm1SLR/.EociR7T7juaU77VNCAevMKAc9TTFuiy"
"""Of PASSWORD, at the lowest cost."""


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, as files."""

    cert: Path
    key: Path


@dataclass(frozen=True)
class Authority:
    """Signs in its folder."""

    folder: Path
    name: str = "ca"

    @property
    def cert(self) -> Path:
        path = self.folder / f"{self.name}.pem"
        if not path.exists():
            _openssl(
                "req", "-x509", *_KEY, "-days", "30", "-subj", f"/CN={self.name}",
                "-addext", "keyUsage=critical,keyCertSign",
                "-keyout", f"{path}.key", "-out", str(path),
            )  # fmt: skip
        return path

    def sign(self, name: str, sans: str, *, days: int = 30) -> Pair:
        """A new pair under this file name; one of 0 days has expired."""
        made = Pair(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        request = self.folder / f"{name}.csr"
        _openssl(
            "req", *_KEY, "-subj", f"/CN={name}", "-addext", f"subjectAltName={sans}",
            "-keyout", str(made.key), "-out", str(request),
        )  # fmt: skip
        _openssl(
            "x509", "-req", "-in", str(request), "-CA", str(self.cert), "-CAkey", f"{self.cert}.key",
            "-days", str(days), "-copy_extensions", "copy", "-out", str(made.cert),
        )  # fmt: skip
        if not days:
            end = time.time() + 1
            wait_for(lambda: time.time() > end, "its only second is over")
        return made
