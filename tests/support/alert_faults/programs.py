"""What runs in the faulty fleet: an agent that does what its file says, and programs that wear things out."""

AGENT = """\
import json, os, resource, sys, time

def read(path):
    with open(path) as file:
        return file.read()

def held():
    return 1024 * int(read("/proc/self/status").partition("RssAnon:")[2].split()[0])

def opened():
    return len(os.listdir("/proc/self/fd")) - 1

me, began, said, kept, files = os.getpid(), time.monotonic(), None, [], []
folder = os.path.join(os.environ["HOME"], ".claude", "sessions")
os.makedirs(folder, mode=0o700, exist_ok=True)
words = {"pid": me, "procStart": read("/proc/self/stat").rpartition(")")[2].split()[19], "version": "2.1.197"}
while True:
    role = json.loads(read(sys.argv[1]))
    if time.monotonic() - began > role.get("lives", 1e9):
        sys.exit()
    if role["says"] != said:
        said = role["says"]
        with open(f"{folder}/new", "w") as file:
            json.dump({**words, **said}, file)
        os.rename(f"{folder}/new", f"{folder}/{me}.json")
    if "of_files" in role:
        resource.setrlimit(resource.RLIMIT_NOFILE, (role["of_files"],) * 2)
    while held() < role.get("bytes", 0):
        kept.append(b"x" * 2**17)
    while opened() < role.get("files", 0):
        files.append(os.dup(0))
    kept += [b"x" * 2**17 for _ in range(role.get("leaks_pieces", 0))]
    files += [os.dup(0) for _ in range(role.get("leaks_files", 0))]
    if role.get("calm"):
        kept.clear()
        while files:
            os.close(files.pop())
    until = time.process_time() + role.get("burns", 0)
    while time.process_time() < until:
        pass
    time.sleep(role.get("sleeps", 0.25))
"""
"""Says of itself what Claude Code writes of itself; reads its file four times a second."""

OPERATIONS = """\
import threading, time
from tmux_exporter.instrument import operation

def slow(late):
    time.sleep(late)
    while True:
        with operation("agent_command"):
            time.sleep(11)

def fails():
    while True:
        with operation("status_check") as this:
            time.sleep(0.5)
            this.fail("timeout")
        time.sleep(1.5)

for number in range(8):
    threading.Thread(target=slow, args=(11 * number / 8,), daemon=True).start()
fails()
"""
"""An orchestrator whose commands take 11 s each and whose checks all fail: some sixty of both a minute."""

DISK = """\
import os, sys, time
with open(sys.argv[1], "wb") as file:
    while True:
        file.seek(0)
        file.write(os.urandom(65536))
        file.flush()
        os.fsync(file.fileno())
        time.sleep(0.02)
"""

NETWORK = """\
import ctypes, fcntl, os, socket, struct, time
tun = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(tun, 0x400454CA, struct.pack("16sH22x", b"slow0", 0x1001))
# ETHTOOL_SSET: full duplex at 10 Mbit/s.
speed = ctypes.create_string_buffer(struct.pack("=IIIHB29x", 2, 0, 0, 10, 1))
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
    fcntl.ioctl(one, 0x8946, struct.pack("16sP16x", b"slow0", ctypes.addressof(speed)))
    fcntl.ioctl(one, 0x8914, struct.pack("16sH22x", b"slow0", 0x1))
packet = b"\\x45\\0" + struct.pack(">H", 1400) + bytes(1396)
sent, began = 0, time.monotonic()
while True:
    while sent < 1_400_000 * (time.monotonic() - began):
        sent += os.write(tun, packet)
    time.sleep(0.02)
"""
"""A tunnel that is said to be a link of 10 Mbit/s, and 11 arrive; in a network namespace of its own."""

STUTTERS = "while kill -STOP $0; do sleep 1.2; kill -CONT $0; sleep 0.1; done"
"""For sh: a process that is stopped most of the time, and goes on within two seconds each time."""

HOLDS = "import time; kept = b'x' * (64 << 20); time.sleep(3600)"
"""For Python: 64 MiB for an hour."""
