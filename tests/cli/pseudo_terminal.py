"""Runs a command in a pseudo-terminal, as the first line of standard input says, in JSON:
{"command": [...], "env": {...}, "steps": [[until, send], ...]}.

Each step waits for a text in the output, then types; "SIGINT" and the like in angle brackets are
signals. Prints what the terminal got and the exit code, in JSON."""

import json
import os
import pty
import signal
import struct
import sys
import fcntl
import termios

order = json.loads(sys.stdin.readline())
pid, terminal = pty.fork()
if pid == 0:
    os.execvpe(order["command"][0], order["command"], order["env"])
fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 120, 0, 0))

output = b""
seen = 0
steps = list(order["steps"])
while True:
    try:
        data = os.read(terminal, 65536)
    except OSError:  # Linux: nobody has the other end open any more.
        break
    if not data:
        break
    output += data
    while steps and steps[0][0].encode() in output[seen:]:
        until, send = steps.pop(0)
        seen = output.index(until.encode(), seen) + len(until.encode())
        if send.startswith("<"):
            os.kill(pid, getattr(signal, send[1:-1]))
        else:
            os.write(terminal, send.encode())

_, status = os.waitpid(pid, 0)
print(json.dumps({
    "output": output.decode(errors="replace"),
    "code": os.waitstatus_to_exitcode(status),
    "stepsLeft": [until for until, _ in steps],
}))
