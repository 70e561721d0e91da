"""The web configuration file: each key of exporter-toolkit is honoured, or refused by name with its line."""

from pathlib import Path

import pytest

from tests.support.web.certificates import HASH, Authority
from tmux_exporter.base.errors import ConfigError
from tmux_exporter.web.access.file import WebConfig, load_web_config

TLS = "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = Authority(tmp_path_factory.mktemp("certificates"))
    made.sign("server", "DNS:localhost")
    return made.folder


def loaded(folder: Path, text: str) -> WebConfig:
    path = folder / "web.yml"
    path.write_text(text)
    return load_web_config(str(path))


def refusals(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        loaded(folder, text)
    return [line.removeprefix(f"{folder}/web.yml:") for line in caught.value.problems]


def test_all_that_is_honoured_is_taken(folder: Path) -> None:
    config = loaded(
        folder,
        f"{TLS}  client_ca_file: ca.pem\n  client_auth_type: VerifyClientCertIfGiven\n"
        "  client_allowed_sans: [prometheus]\n  min_version: TLS12\n  max_version: TLS13\n"
        "  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]\n  prefer_server_cipher_suites: false\n"
        "  curve_preferences: [CurveP256]\n"
        "http_server_config:\n  http2: true\n  headers:\n    Content-Security-Policy: default-src 'self'\n"
        "    X-Frame-Options: deny\n    X-Content-Type-Options: nosniff\n    X-XSS-Protection: '0'\n"
        "    Strict-Transport-Security: max-age=60\n"
        f"basic_auth_users:\n  prom: {HASH}\nrate_limit:\n  interval: 1s\n  burst: 20\n",
    )
    assert config.context is not None
    assert dict(config.headers) == {
        b"content-security-policy": b"default-src 'self'",
        b"x-frame-options": b"deny",
        b"x-content-type-options": b"nosniff",
        b"x-xss-protection": b"0",
        b"strict-transport-security": b"max-age=60",
    }
    assert (config.users, config.rate_limit.burst) == ({"prom": HASH.encode()}, 20)
    assert [Path(each).name for each in config.files] == ["web.yml", "server.pem", "server.key", "ca.pem"]
    inline = "".join(
        f"  {key}: |\n" + "".join(f"    {line}\n" for line in (folder / name).read_text().splitlines())
        for key, name in (("cert", "server.pem"), ("key", "server.key"), ("client_ca", "ca.pem"))
    )
    text = f"tls_server_config:\n  client_auth_type: RequireAndVerifyClientCert\n{inline}"
    assert loaded(folder, text).trust.required
    assert loaded(folder, "") == WebConfig(files=(str(folder / "web.yml"),))


@pytest.mark.parametrize(
    ("text", "at", "words"),
    [
        (f"{TLS}  client_auth_type: RequireAnyClientCert\n", "4:21", "RequireAnyClientCert takes"),
        (f"{TLS}  client_auth_type: RequestClientCert\n", "4:21", "RequestClientCert takes"),
        (f"{TLS}  client_auth_type: RequireAndVerifyClientCert\n", "4:21", "add client_ca_file"),
        (f"{TLS}  client_ca_file: ca.pem\n", "4:19", "no client is asked for a certificate"),
        (f"{TLS}  client_allowed_sans: [a]\n", "4:24", "no client is asked for a certificate"),
        (f"{TLS}  min_version: TLS11\n", "4:16", "obsolete"),
        (f"{TLS}  min_version: TLS13\n  max_version: TLS12\n", "5:16", "below min_version"),
        (f"{TLS}  cipher_suites: [TLS_AES_128_GCM_SHA256]\n", "4:19", "no choice of the suites of TLS 1.3"),
        (f"{TLS}  cipher_suites: [TLS_RSA_WITH_AES_128_CBC_SHA]\n", "4:19", "unknown"),
        (f"{TLS}  curve_preferences: [CurveP256, CurveP384]\n", "4:22", "takes one curve"),
        (f"{TLS}  curve_preferences: [P256]\n", "4:23", "known are CurveP256"),
        ("tls_server_config: {min_version: TLS12}\n", "1:20", "without cert_file there is no TLS"),
        ("tls_server_config: {cert_file: server.pem}\n", "1:20", "without key_file there is no TLS"),
        ("tls_server_config: {cert_file: none.pem, key_file: server.key}\n", "1:32", "No such file"),
        ("tls_server_config: {cert_file: server.pem, key_file: ca.pem.key}\n", "1:32", "another"),
        ("tls_server_config: {cert_file: server.key, key_file: server.key}\n", "1:32", "in PEM form"),
        ("http_server_config: {headers: {Server: x}}\n", "1:32", "unknown key 'Server'"),
        ("http_server_config: {headers: {X-Frame-Options: allow}}\n", "1:49", "deny, sameorigin"),
        ("http_server_config: {http3: true}\n", "1:22", "unknown key 'http3'"),
        ("basic_auth_users: {prom: s3cret}\n", "1:26", "is no bcrypt hash"),
        (f"basic_auth_users: {{prom: {HASH.replace('$04$', '$20$')}}}\n", "1:26", "allowed is 4 to 16"),
        ("rate_limit: {interval: 1s}\n", "1:13", "burst"),
        ("basic_auth: {}\n", "1:1", "did you mean 'basic_auth_users'?"),
    ],
)  # fmt: skip
def test_what_cannot_be_honoured_is_refused_by_name_with_its_line(
    folder: Path, text: str, at: str, words: str
) -> None:
    [line] = refusals(folder, text)
    assert line.startswith(f"{at}: ")
    assert words in line
    assert "s3cret" not in line


def test_all_mistakes_are_told_at_once(folder: Path) -> None:
    assert len(refusals(folder, "basic_auth_users: {a: x, b: y}\nrate_limit: {interval: 5, burst: 1}\n")) == 3
