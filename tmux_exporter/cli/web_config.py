"""`tmux-exporter web-config`: hashes, a self-signed certificate, and a check of the file."""

import sys

import click

from tmux_exporter.cli.exit import show


@click.group("web-config", short_help="Make hashes and a certificate for --web.config.file; check it.")
def web_config() -> None:
    """Make what the file of --web.config.file needs, and check it.

    \b
    Example:
      tmux-exporter web-config hash
      tmux-exporter web-config self-signed --host dev1.example.org --host 10.0.0.5
      tmux-exporter web-config check web.yml
    """


@web_config.command("hash", short_help="The bcrypt hash of a password.")
@click.option(
    "--cost", type=click.IntRange(4, 16), default=10, show_default=True, help="Each step doubles the time."
)
def make_hash(cost: int) -> None:
    """Ask for a password, or take a line of standard input, and print its hash for basic_auth_users.

    \b
    Example:
      tmux-exporter web-config hash
    """
    from tmux_exporter.commands.web_config import hashed

    if sys.stdin.isatty():
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        password = sys.stdin.readline().rstrip("\n")
    show(hashed(password, cost))


@web_config.command("self-signed", short_help="A self-signed certificate and its key.")
@click.option(
    "--host",
    "hosts",
    metavar="NAME|ADDRESS",
    multiple=True,
    required=True,
    help="Its names; may be given again.",
)
@click.option(
    "--out", "folder", metavar="FOLDER", default=".", show_default=True, help="Where cert.pem and key.pem go."
)
@click.option(
    "--days", type=click.IntRange(1, 3650), default=365, show_default=True, help="How long it holds."
)
def self_signed(hosts: tuple[str, ...], folder: str, days: int) -> None:
    """Make cert.pem and key.pem; cert.pem is also the ca_file of the Prometheus that scrapes.

    \b
    Example:
      tmux-exporter web-config self-signed --host dev1.example.org
    """
    from tmux_exporter.commands.web_config import make_pair

    cert, key = make_pair(folder, hosts, days)
    show(f"tls_server_config:\n  cert_file: {cert}\n  key_file: {key}")


@web_config.command("check", short_help="Every mistake of a file, with its line.")
@click.argument("path", metavar="FILE")
def check_file(path: str) -> None:
    """Load the file as the exporter would, certificates included, and say what it asks for.

    \b
    Example:
      tmux-exporter web-config check web.yml
    """
    from tmux_exporter.commands.web_config import described

    show(described(path))
