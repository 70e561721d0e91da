"""Every configuration mistake with the exact lines that it gives."""

import pytest

from tests.support.literals.config import FILES, problems_of

# One file a mistake, with the lines it must give, in their order and without the path before them.
MISTAKES = {
    "anchor-and-alias": ("1:11: anchors are not supported; remove it",
        "3:7: aliases are not supported; write the value out"),
    "at-sign": ("2:19: '@' cannot start a value; put the value in quotes",),
    "boolean-for-a-text":
        ("4:15: agents.signatures[0].argv0[0]: YAML reads no as a boolean; write 'no' in quotes",),
    "boolean-in-quotes": ("2:16: metrics.pane_detail: 'true' is a text; write it without quotes",),
    "boolean-word": ("2:16: metrics.pane_detail: 'yes' is neither true nor false; write true",),
    "bracket-not-closed": ("2:12: the '[' here is not closed or lacks a comma; mend it or quote the value",),
    "choice-trap": ("2:14: tmux.transport: 'no' is not one of auto, socket, client; write one of them",),
    "colon-in-a-value": ("1:19: a ': ' cannot stand here; mend the indentation or quote the value",),
    "directive": ("1:1: YAML syntax: found incompatible YAML document; mend this line",),
    "duplicate-key": ("3:3: duplicate key 'interval'; the first is in line 2, keep one",
        "3:13: sampling.interval: '10' has no unit; write 10s or 10m"),
    "duplicate-section": ("3:1: duplicate key 'sampling'; the first is in line 1, keep one",),
    "indentation": ("3:3: the indentation fits nothing above; mend it",),
    "key-of-another-section": ("2:3: unknown key 'interval'; it is a key of section 'sampling'",),
    "key-that-is-no-name": ("2:5: a key must be a name; write key: value",),
    "key-without-its-section": ("1:1: unknown section 'interval'; it is a key of section 'sampling'",),
    "list-for-a-value": ("2:13: sampling.interval must be one value, not a list; write it after the colon",),
    "long-socket-path":
        ("3:7: tmux.sockets[0]: '/tmp/012345678901234567890123456789012345678901234567890123…' "
        "is longer than a socket's path can be; " "use 107 bytes",),
    "mapping-for-a-list": ("3:5: agents.signatures must be a list; write each item after a '- '",),
    "merge-key": ("1:11: anchors are not supported; remove it",
        "4:3: merge keys are not supported; write the settings out",
        "4:7: aliases are not supported; write the value out"),
    "mistake-before-a-syntax-error": ("2:13: sampling.interval: '5' has no unit; write 5s or 5m",
        "4:9: the quote that opens here is not closed; close it"),
    "name-rules": ("3:7: agents.names[0]: this fits every agent; add windows or sessions",
        "4:14: agents.names[1].name: '' is no label; write it as /metrics shows it",
        "5:7: agents.names[2]: 'name' is missing; add it",
        "6:31: agents.names[3].sessions[0]: '*' is no pattern of names; write one such as '*-reviewer'"),
    "no-brackets": ("2:19: web.listen_address: '::1:10077' is ambiguous; write brackets: [::1]:10077",),
    "no-number": ("2:11: limits.series: '1e3' is not a whole number; write decimal digits only",),
    "no-port": ("2:19: web.listen_address: '127.0.0.1' has no port; write host:port, such as 127.0.0.1:10077",
        ),
    "no-space-after-the-colon": ("3:6: a ': ' cannot stand here; mend the indentation or quote the value",),
    "no-such-port": ("2:19: web.listen_address: port '65536' does not exist; use 0 (any free one) to 65535",),
    "no-unit": ("2:13: sampling.interval: '5' has no unit; write 5s or 5m",),
    "no-value": ("2:12: sampling.interval: no value; write one or leave the key out",),
    "number-for-a-text":
        ("4:21: agents.signatures[0].argv0[1]: YAML reads 12 as a number; write '12' in quotes",),
    "number-in-quotes": ("2:11: limits.series: '20000' is a text; write it without quotes",),
    "number-out-of-range":
        ("2:11: limits.series: '99999999999999999999999999' is out of range; allowed is 100 to 1000000",),
    "objectives": (
        "3:7: operations.objectives[0]: this says nothing; add within, such as 30s, or excluded: true",
        "4:19: operations.objectives[1].operation: 'Deploy' is no name of an operation; "
        "use a-z, 0-9, '_', and '*' for any",
        "6:15: operations.objectives[2].within: what is excluded has no time; leave one of both out",
        "8:7: operations.objectives[3]: 'operation' is missing; add it",
        "9:34: operations.objectives[4].within: '60' has no unit; write 60s or 60m",
        "10:44: operations.objectives[5].share: '0.99' is not a percentage; write it like 99% or 99.5%",
        "11:44: operations.objectives[6].share: '100%' is out of range; allowed is 50% to 99.99%",
        "12:25: unknown key 'seconds'; keys of operations.objectives[7] are "
        "operation, within, share, excluded"),
    "octal": ("2:11: limits.series: '010' is octal to YAML; write it without the leading 0",),
    "operation-names": ("3:5: operations.names[0]: 'recovery' is always there; leave it out",
        "4:5: operations.names[1]: 'Send Message' is no name of an operation; "
        "use a-z, 0-9 and '_', a letter first, at most 48",
        "5:14: operations.max_names: '1001' is out of range; allowed is 0 to 1000"),
    "out-of-range": ("2:13: sampling.interval: '0s' is out of range; allowed is 100ms to 5m",),
    "port-only": ("2:19: web.listen_address: '10077' has no port; write host:port, such as 127.0.0.1:10077",),
    "quote-not-closed": ("2:13: the quote that opens here is not closed; close it",),
    "relative-path":
        ("2:13: tmux.sockets[0]: '~/a' is not an absolute path; start it with / (~ is not expanded)",
        "2:26: tmux.sockets[2] says the same as an item before it; keep one",
        "4:9: processes.root: 'proc' is not an absolute path; start it with / (~ is not expanded)"),
    "role-rules": ("3:7: agents.roles[0]: this fits every agent; add windows or sessions",
        "5:17: agents.roles[1].windows[0]: '**' is no pattern of names; write one such as '*-reviewer'"),
    "scalar-for-a-list": ("2:12: tmux.sockets must be a list; write each item after a '- '",),
    "section-not-a-mapping": ("1:11: section 'sampling' holds one value; write its keys below it, indented",),
    "sexagesimal":
        ("2:13: sampling.interval: '1:30' is not a duration; write a number and a unit, for example 90s",),
    "signature-that-matches-nothing":
        ("3:7: agents.signatures[0]: this matches nothing; add argv0, exe or script",),
    "signature-without-program": ("3:7: agents.signatures[0]: 'program' is missing; add it",),
    "signature-wrong-values": ("3:16: agents.signatures[0].program: 'My Agent' is not a program name; "
        "use a-z, 0-9, '.', '_' and '-'",
        "4:15: agents.signatures[0].argv0[0]: '/usr/bin/mine' is not a file name; write the path's last part",
        "5:13: agents.signatures[0].exe[0]: '*' is no pattern; write one such as '*/bin/claude'",
        "6:7: agents.signatures[1] must be a mapping, not one value"),
    "size-out-of-range":
        ("2:17: limits.agent_memory: '512KiB' is out of range; allowed is 1MiB to 1024TiB, or none",
        "3:19: limits.session_memory: '2000TiB' is out of range; allowed is 1MiB to 1024TiB, or none"),
    "size-that-is-none": ("2:17: limits.agent_memory: 'unlimited' is not a size; "
        "write a number and a unit, for example 5MiB, or none",
        "3:19: limits.session_memory: no value; write one or leave the key out"),
    "size-without-unit": ("2:17: limits.agent_memory: '512' has no unit; write 512MiB or 512GiB, or none",
        "3:19: limits.session_memory: unit 'GB' of '4GB' is unknown; "
        "units are B, KiB, MiB, GiB, TiB: write 4MiB or 4GiB, or none"),
    "tab": ("2:1: a tab cannot indent; use spaces",),
    "tag": ("2:9: tags are not supported; remove it",),
    "ten-mistakes": ("3:3: unknown key 'intervall'; did you mean 'interval'?",
        "5:14: tmux.transport: 'tcp' is not one of auto, socket, client; write one of them",
        "6:18: tmux.query_timeout: '2' has no unit; write 2s or 2m",
        "7:9: tmux.hold: '1:30' is not a duration; write a number and a unit, for example 90s",
        "8:3: duplicate key 'hold'; the first is in line 7, keep one",
        "10:16: metrics.pane_detail: 'no' is neither true nor false; write false",
        "12:11: limits.series: '010' is octal to YAML; write it without the leading 0",
        "13:1: unknown section 'scheduler'; did you mean 'schedulers'?",
        "15:19: web.listen_address: '127.0.0.1' has no port; write host:port, such as 127.0.0.1:10077",
        "17:11: log.format: 'xml' is not one of logfmt, json, ecs; write one of them"),
    "too-deep": ("2:25: nested too deep; no setting lies this deep",),
    "top-level-list": ("1:1: the file holds a list; write sections such as 'sampling:'",),
    "top-level-text":
        ("1:1: the file holds one value; write sections such as 'sampling:' and a space after each colon",),
    "two-documents": ("2:13: sampling.interval: '5' has no unit; write 5s or 5m",
        "3:1: a second document starts here; keep one"),
    "two-units":
        ("2:13: sampling.interval: '1m30s' is not a duration; write a number and a unit, for example 5s",),
    "unknown-choice":
        ("2:10: log.level: 'warning' is not one of debug, info, warn, error; did you mean 'warn'?",),
    "unknown-key": ("2:3: unknown key 'intervall'; did you mean 'interval'?",),
    "unknown-section": ("1:1: unknown section 'samplings'; did you mean 'sampling'?",),
    "unquoted-brackets": ("2:20: no list or mapping starts here; put the value in quotes",),
    "url-for-an-address":
        ("2:19: web.listen_address: 'http://localhost' is not a host; write only a name or an address",
        "3:32: web.allowed_hosts[1]: 'https://example.org' is not a host; write only a name or an address",
        "4:19: web.prometheus_url: 'http://me:secret@localhost:9090' is no address of a server; "
        "write it like http://127.0.0.1:9090"),
    "wrong-unit":
        ("2:13: sampling.interval: unit 'sec' of '5sec' is unknown; units are ms, s, m, h: write 5s or 5m",),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_each_mistake_has_its_exact_message(name: str) -> None:
    assert problems_of(FILES / f"{name}.yml") == MISTAKES[name]


def test_every_fixture_has_its_messages() -> None:
    assert {path.stem for path in FILES.glob("*.yml")} == {*MISTAKES, "full"}
