"""A stub of four model APIs on loopback: Anthropic messages, OpenAI responses and chat, Gemini.

A word of `Play` in the last prompt says what the answer is. Requests without tools (titles, summaries) get a
short text. Of a request only its path, tools and play are kept.
"""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Body = dict[str, Any]
Tools = Mapping[str, Body]

TEXT = "All of it is done."
SLOW_STEPS, STEP_SECONDS = 120, 0.5
TOOL_COMMAND = "touch made-by-the-agent && sleep 25"
FILE = "notes.txt"


class Play(StrEnum):
    """Words in a prompt, and what the stub then answers."""

    SAY = "zzsay"
    THINK = "zzthink"
    TOOL = "zztool"
    EDIT = "zzedit"
    ASK = "zzask"
    PLAN = "zzplan"
    QUOTA = "zzquota"
    DENIED = "zzdenied"
    BROKEN = "zzbroken"
    MANY = "zzmany"
    DELEGATE = "zzdelegate"


_STATUS = {Play.QUOTA: 429, Play.DENIED: 401, Play.BROKEN: 500}
_SHELLS = (
    "Bash",
    "bash",
    "run_shell_command",
    "shell_command",
    "exec_command",
    "shell",
    "execute_command",
    "run_commands",
    "run_command",
    "launch-process",
    "developer__shell",
    "Shell",
)
_EDITS = ("Write", "write", "write_file", "create_file", "create", "write_to_file", "editor", "save-file")
_ASKS = (
    "AskUserQuestion",
    "ask_user_question",
    "ask_user",
    "question",
    "ask_followup_question",
    "ask_question",
    "AskQuestion",
)
_PLANS = ("ExitPlanMode", "exit_plan_mode", "plan_exit")
_DELEGATES = {"Agent": "general-purpose", "task": "general", "invoke_agent": "generalist", "spawn_agent": ""}
"""Tools that start a subagent, and the name of one that can do everything."""
_TOOLS: Mapping[Play, Sequence[str]] = {
    Play.TOOL: _SHELLS,
    Play.EDIT: _EDITS,
    Play.ASK: _ASKS,
    Play.PLAN: _PLANS,
    Play.MANY: _SHELLS,
    Play.DELEGATE: tuple(_DELEGATES),
}


class Stub:
    """All APIs on one free port of 127.0.0.1. `resets_at` is when the quota that it refuses comes back."""

    def __init__(self, resets_at: float | None = None) -> None:
        self.resets_at = resets_at if resets_at is not None else time.time() + 7200
        self.seen: list[str] = []
        stub = self

        class Handler(_Handler):
            of = stub

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.stopping = threading.Event()
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    quick_calls = 5
    """How many commands Play.MANY runs, one after the other."""

    def calls(self, play: Play, tools: Tools, data: bytes) -> list[tuple[str, Body]]:
        """The tools that a play calls, one after the other."""
        calls = _calls(play, tools, data)
        match play, calls:
            case Play.DELEGATE, [(name, told)]:
                properties = tools[name].get("properties") or {}
                asked = {
                    "subagent_type": _DELEGATES[name],
                    "agent_name": _DELEGATES[name],
                    "message": "do it",
                }
                return [(name, {**told, **_fitting(asked, {"properties": properties})})]
            case Play.MANY, [(name, told)]:
                told.pop("sandbox_permissions", None)
                words = json.dumps(told)
                # Programs refuse the same command over and over.
                different = (words.replace(TOOL_COMMAND, f"echo {at}") for at in range(self.quick_calls))
                return [(name, json.loads(each)) for each in different]
            case _:
                return calls

    def metered(self, events: Iterator[bytes], tools: Tools, body: Body) -> Iterator[bytes]:  # noqa: ARG002
        """The events of one answer, with what it is to have used."""
        return events

    def whole(self, answer: Body, tools: Tools, body: Body) -> Body:  # noqa: ARG002
        """The same of an answer in one piece."""
        return answer

    def refused(self) -> None:
        """A request is refused."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def end(self) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    of: Stub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is logged."""

    def do_GET(self) -> None:
        self.of.seen.append(f"GET {self.path}")
        if self.path.partition("?")[0].endswith("/models"):
            self._json(200, {"object": "list", "data": [{"id": "stub-1", "object": "model"}], "models": []})
        else:
            self._json(404, {"error": {"message": "not found", "type": "not_found_error"}})

    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.path.partition("?")[0]
        try:
            body = json.loads(data or b"{}")
        except ValueError:
            body = {}
        api = _api(path)
        if api is None:
            self.of.seen.append(f"POST {path}")
            self._json(200, {})
            return
        tools = _tools(body)
        play, told = _play(body, tools, lone=path.startswith("/alone/"))
        self.of.seen.append(f"POST {path} tools={','.join(sorted(tools))} play={play} told={told}")
        if path.endswith("count_tokens") or path.endswith(":countTokens"):
            self._json(200, {"input_tokens": 10, "totalTokens": 10})
        elif play in _STATUS and not told:
            self.of.refused()
            self._refuse(api, _STATUS[play])
        else:
            calls = self.of.calls(play, tools, data)
            call = calls[told] if told < len(calls) else None
            stream = bool(body.get("stream")) or ":stream" in path
            slow = play is Play.THINK
            try:
                if stream:
                    self._stream(self.of.metered(api(call, slow, tools), tools, body))
                else:
                    self._json(200, self.of.whole(_whole(api, call), tools, body))
            except OSError:
                self.close_connection = True

    def _json(self, status: int, body: object, headers: Mapping[str, str] | None = None) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {
            "Content-Type": "application/json",
            "Content-Length": str(len(data)),
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def _refuse(self, api: "_Api", status: int) -> None:
        at = int(self.of.resets_at)
        kind = {429: "rate_limit_error", 401: "authentication_error"}.get(status, "api_error")
        words = {429: "You have exceeded your quota.", 401: "invalid api key"}.get(status, "overloaded")
        error: Body = {"type": kind, "message": words, "code": status}
        headers = {}
        if api is _anthropic:
            headers = (
                {
                    "anthropic-ratelimit-unified-status": "rejected",
                    "anthropic-ratelimit-unified-reset": str(at),
                    "anthropic-ratelimit-unified-representative-claim": "five_hour",
                    "anthropic-ratelimit-unified-5h-status": "rejected",
                    "anthropic-ratelimit-unified-5h-reset": str(at),
                    "anthropic-ratelimit-unified-overage-status": "rejected",
                    "retry-after": str(max(1, at - int(time.time()))),
                }
                if status == 429
                else {}
            )
            self._json(status, {"type": "error", "error": error}, headers)
        elif api is _responses and status == 429:
            self._json(
                429,
                {
                    "error": {
                        "type": "usage_limit_reached",
                        "message": words,
                        "plan_type": "plus",
                        "resets_at": at,
                        "resets_in_seconds": at - int(time.time()),
                    }
                },
            )
        elif api is _gemini:
            # It tries again for minutes after any other error.
            status = 400 if status == 500 else status
            names = {429: "RESOURCE_EXHAUSTED", 401: "UNAUTHENTICATED", 400: "INVALID_ARGUMENT"}
            error = {
                "code": status,
                "message": words,
                "status": names[status],
                "details": [
                    {
                        "@type": "type.googleapis.com/google.rpc.QuotaFailure",
                        "violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel"}],
                    }
                ]
                if status == 429
                else [],
            }
            self._json(status, {"error": error})
        else:
            error["code"] = {429: "insufficient_quota", 401: "invalid_api_key"}.get(status, "server_error")
            self._json(status, {"error": error})

    def _stream(self, events: Iterator[bytes]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        for event in events:
            if self.of.stopping.is_set():
                return
            self.wfile.write(event)
            self.wfile.flush()


_Call = tuple[str, Body] | None
_Api = Callable[[_Call, bool, Tools], Iterator[bytes]]


def _event(body: Body, name: str = "") -> bytes:
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(body)}\n\n".encode()


def _words(slow: bool) -> Iterator[str]:
    if slow:
        for number in range(SLOW_STEPS):
            time.sleep(STEP_SECONDS)
            yield f"step {number}\n\n" if number % 8 == 7 else f"{number} "
    yield TEXT


def _anthropic(call: _Call, slow: bool, tools: Tools) -> Iterator[bytes]:
    def event(kind: str, **more: object) -> bytes:
        return _event({"type": kind, **more}, kind)

    yield event(
        "message_start",
        message={
            "id": f"msg_{time.time_ns()}",
            "type": "message",
            "role": "assistant",
            "model": "stub-1",
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {"input_tokens": 5, "output_tokens": 1},
        },
    )
    yield event("content_block_start", index=0, content_block={"type": "text", "text": ""})
    for words in _words(slow):
        yield event("content_block_delta", index=0, delta={"type": "text_delta", "text": words})
    yield event("content_block_stop", index=0)
    if call:
        yield event(
            "content_block_start",
            index=1,
            content_block={"type": "tool_use", "id": f"toolu_{time.time_ns()}", "name": call[0], "input": {}},
        )
        yield event(
            "content_block_delta",
            index=1,
            delta={"type": "input_json_delta", "partial_json": json.dumps(call[1])},
        )
        yield event("content_block_stop", index=1)
    yield event(
        "message_delta",
        delta={"stop_reason": "tool_use" if call else "end_turn", "stop_sequence": None},
        usage={"output_tokens": 20},
    )
    yield event("message_stop")


def _chat(call: _Call, slow: bool, tools: Tools) -> Iterator[bytes]:
    def chunk(delta: Body, finish: str | None = None) -> bytes:
        return _event(
            {
                "id": "c1",
                "object": "chat.completion.chunk",
                "created": 1,
                "model": "stub-1",
                "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
            }
        )

    yield chunk({"role": "assistant", "content": ""})
    for words in _words(slow):
        yield chunk({"content": words})
    if call:
        yield chunk(
            {
                "tool_calls": [
                    {
                        "index": 0,
                        "id": f"call_{time.time_ns()}",
                        "type": "function",
                        "function": {"name": call[0], "arguments": json.dumps(call[1])},
                    }
                ]
            }
        )
    yield chunk({}, "tool_calls" if call else "stop")
    yield _event(
        {
            "id": "c1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": "stub-1",
            "choices": [],
            "usage": {"prompt_tokens": 5, "completion_tokens": 5, "total_tokens": 10},
        }
    )
    yield b"data: [DONE]\n\n"


_USAGE = {
    "input_tokens": 5,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 5,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 10,
}


def _message(text: str) -> Body:
    return {
        "type": "message",
        "id": "m1",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": text, "annotations": []}],
    }


def _responses(call: _Call, slow: bool, tools: Tools) -> Iterator[bytes]:
    number = iter(range(10_000))

    def event(kind: str, **more: object) -> bytes:
        return _event({"type": kind, "sequence_number": next(number), **more}, kind)

    base = {"id": f"resp_{time.time_ns()}", "object": "response", "created_at": 1, "model": "stub-1"}
    yield event("response.created", response={**base, "status": "in_progress", "output": []})
    yield event(
        "response.output_item.added",
        output_index=0,
        item={"type": "message", "id": "m1", "role": "assistant", "status": "in_progress", "content": []},
    )
    yield event(
        "response.content_part.added",
        item_id="m1",
        output_index=0,
        content_index=0,
        part={"type": "output_text", "text": "", "annotations": []},
    )
    text = ""
    for words in _words(slow):
        text += words
        yield event("response.output_text.delta", item_id="m1", output_index=0, content_index=0, delta=words)
    output = [_message(text)]
    yield event("response.output_item.done", output_index=0, item=output[0])
    if call:
        item = {
            "type": "function_call",
            "id": f"fc_{time.time_ns()}",
            "call_id": f"call_{time.time_ns()}",
            "name": call[0],
            "arguments": json.dumps(call[1]),
            "status": "completed",
        }
        if namespace := tools[call[0]].get("namespace"):
            item["namespace"] = namespace
        yield event(
            "response.output_item.added",
            output_index=1,
            item={**item, "arguments": "", "status": "in_progress"},
        )
        yield event(
            "response.function_call_arguments.done",
            item_id=item["id"],
            output_index=1,
            arguments=item["arguments"],
        )
        yield event("response.output_item.done", output_index=1, item=item)
        output.append(item)
    yield event(
        "response.completed", response={**base, "status": "completed", "output": output, "usage": _USAGE}
    )


def _candidate(call: _Call, text: str, finish: str | None) -> Body:
    parts: list[Body] = [{"text": text}] if text else []
    if call:
        parts.append({"functionCall": {"name": call[0], "args": call[1]}})
    candidate: Body = {"index": 0, "content": {"role": "model", "parts": parts}}
    if finish:
        candidate["finishReason"] = finish
    return {
        "candidates": [candidate],
        "modelVersion": "stub-1",
        "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 5, "totalTokenCount": 10},
    }


def _gemini(call: _Call, slow: bool, tools: Tools) -> Iterator[bytes]:
    for words in _words(slow):
        yield _event(_candidate(None, words, None))
    yield _event(_candidate(call, "", "STOP"))


def _whole(api: _Api, call: _Call) -> Body:
    """An answer in one piece."""
    if api is _anthropic:
        content = (
            [{"type": "tool_use", "id": "toolu_1", "name": call[0], "input": call[1]}]
            if call
            else [{"type": "text", "text": TEXT}]
        )
        return {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "stub-1",
            "content": content,
            "stop_reason": "tool_use" if call else "end_turn",
            "usage": {"input_tokens": 5, "output_tokens": 5},
        }
    if api is _gemini:
        return _candidate(call, TEXT, "STOP")
    if api is _chat:
        message = {"role": "assistant", "content": TEXT}
        return {
            "id": "c1",
            "object": "chat.completion",
            "created": 1,
            "model": "stub-1",
            "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
            "usage": {"prompt_tokens": 5, "completion_tokens": 5, "total_tokens": 10},
        }
    return {
        "id": "r1",
        "object": "response",
        "status": "completed",
        "model": "stub-1",
        "output": [_message(TEXT)],
        "usage": _USAGE,
    }


def _api(path: str) -> _Api | None:
    if "/v1/messages" in path:
        return _anthropic
    if path.endswith("/responses"):
        return _responses
    if path.endswith("/chat/completions"):
        return _chat
    return (
        _gemini
        if ":generateContent" in path or ":streamGenerateContent" in path or ":countTokens" in path
        else None
    )


def _tools(body: Body) -> dict[str, Body]:
    """Every tool of a request with the schema of its arguments."""
    found: dict[str, Body] = {}
    for each in body.get("tools") or ():
        for one in each.get("functionDeclarations") or each.get("tools") or (each.get("function") or each,):
            if name := one.get("name"):
                schemas = (one.get(key) for key in ("input_schema", "parameters", "parametersJsonSchema"))
                found[name] = next((schema for schema in schemas if schema), {})
                if each.get("type") == "namespace":
                    found[name] = {**found[name], "namespace": each["name"]}
    return found


def _calls(play: Play, tools: Tools, data: bytes) -> list[tuple[str, Body]]:
    """The tools that a play calls, one after the other."""
    calls = []
    plan = re.search(rb"/[\w./-]+/\.claude/plans/[\w-]+\.md", data)
    if play is Play.PLAN and plan and "Write" in tools:
        # Claude Code shows the plan that is in this file.
        calls.append(("Write", {"file_path": plan.group().decode(), "content": "# A plan\n\n1. Write it.\n"}))
    if name := next((each for each in _TOOLS.get(play, ()) if each in tools), None):
        calls.append((name, _arguments(play, tools[name], _project(data))))
    return calls


def _project(data: bytes) -> str:
    """The folder of the agent, which every program tells its model; empty where this one does not."""
    found = re.search(rb"/[\w./-]*/project\b", data)
    return f"{found.group().decode()}/" if found else ""


def _arguments(play: Play, schema: Body, project: str) -> Body:
    """Arguments that the schema of the tool takes."""
    told: Body = {}
    for key, kind in (schema.get("properties") or {}).items():
        value = f"{project}{FILE}" if key in _PATHS else _argument(play, key, kind, schema)
        if value is not None:
            told[key] = value
    return told


_PATHS = ("file_path", "filePath", "path", "absolute_path")


def _argument(play: Play, key: str, kind: Body, schema: Body) -> object:
    array = "array" in str(kind.get("type", "")).lower()
    match key:
        case "command" | "cmd" if "enum" in kind:
            return "create" if play is Play.EDIT else kind["enum"][0]
        case "command" | "cmd":
            return ["bash", "-lc", TOOL_COMMAND] if array else TOOL_COMMAND
        case "commands":
            return [TOOL_COMMAND]
        case "content" | "file_text" | "file_content" | "contents":
            return "one line\n"
        case "questions":
            whole = {"question": "Which colour?", "header": "Colour", "type": "choice", "multiSelect": False}
            items: Body = kind.get("items") or {}
            named = str(items.get("$ref", "")).rpartition("/")[2]
            items = (schema.get("$defs") or {}).get(named, items)
            return [_fitting({**whole, "options": _OPTIONS}, items)]
        case "question":
            return "Which colour?"
        case "sandbox_permissions":
            return "require_escalated"
        case "plan":
            return "# A plan\n\n1. Write the file."
        case "options" | "choices" if (kind.get("items") or {}).get("type") == "object":
            return [_fitting(each, kind["items"]) for each in _OPTIONS]
        case "options" | "choices":
            return ["Red", "Blue"]
        case _:
            pass
    if key not in (schema.get("required") or ()):
        return None
    if "enum" in kind:
        return kind["enum"][0]
    lowered = str(kind.get("type", "string")).lower()
    simple: dict[str, object] = {"boolean": False, "integer": 60, "number": 60, "array": [], "object": {}}
    return simple.get(lowered, "because it was asked for")


_OPTIONS = [{"label": "Red", "description": "a colour"}, {"label": "Blue", "description": "another"}]


def _fitting(value: Body, schema: Body) -> Body:
    """What of it the schema of an object takes."""
    known = schema.get("properties")
    return {key: each for key, each in value.items() if known is None or key in known}


def _play(body: Body, tools: Tools, *, lone: bool) -> tuple[Play, int]:
    """The play of the last prompt, and how many tools have answered since."""
    if not tools and not lone:
        return Play.SAY, 1
    told = 0
    for role, words in reversed(list(_blocks(body))):
        if role == "tool" or any(mark in words for mark in _RESULTS):
            told += 1
        elif role == "user":
            at = {play: words.rfind(play) for play in Play}
            best = max(at, key=lambda play: at[play])
            if at[best] >= 0:
                return best, told
    return Play.SAY, told


_RESULTS = ('"tool_result"', '"functionResponse"', "function_call_output", "custom_tool_call_output")


def _blocks(body: Body) -> Iterator[tuple[str, str]]:
    """Every part of the conversation in order: who said it, and its words."""
    items = body.get("messages") or body.get("contents") or body.get("input") or []
    for item in items if isinstance(items, list) else []:
        parts = item.get("content") or item.get("parts")
        for part in parts if isinstance(parts, list) else [parts or item]:
            yield item.get("role") or "", json.dumps(part)
