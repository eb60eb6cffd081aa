"""Runs a command in a pseudo-terminal. The first line of standard input is the job, in JSON:
{"command": [...], "env": {...}, "steps": [[until, send], ...]}.

Each step waits for a text in the output, then types another; a name in angle brackets such as
<SIGTERM> sends a signal. Prints the output of the terminal and the exit code, in JSON."""

import json
import os
import pty
import signal
import struct
import sys
import fcntl
import termios

job = json.loads(sys.stdin.readline())
pid, terminal = pty.fork()
if pid == 0:
    os.execvpe(job["command"][0], job["command"], job["env"])
fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 120, 0, 0))

output = b""
matched_to = 0
steps = list(job["steps"])
while True:
    try:
        data = os.read(terminal, 65536)
    except OSError:  # Linux: no process has the other end open.
        break
    if not data:
        break
    output += data
    while steps and steps[0][0].encode() in output[matched_to:]:
        until, send = steps.pop(0)
        matched_to = output.index(until.encode(), matched_to) + len(until.encode())
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
