"""How descriptions name things, the same everywhere."""

SERVER = "tmux server {{ $labels.server }} on {{ $labels.instance }}"
SESSION = "session {{ $labels.session }} of " + SERVER
AGENT = "{{ $labels.agent }} in " + SESSION
SESSION_OR_GONE = (
    "{{ with $labels.session }}session {{ . }}{{ else }}a session that is gone{{ end }} (" + SERVER + ")"
)
PERCENT = "{{ $value | humanizePercentage }}"
TIME = "{{ $value | humanizeDuration }}"
SIZE = "{{ $value | humanize1024 }}B"
