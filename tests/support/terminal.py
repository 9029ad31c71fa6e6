"""A terminal for a program under test: opens one, runs the program on it, does as it is told.

Each line of stdin is a command: `size ROWS COLUMNS`, `keys HEX`, `signal NAME`. What the program
writes to the terminal goes to stdout as it is. At the end a last line `[code N, modes same]` (or
`differ`) tells how the program ended, 128 and the signal if it died of one, and whether it left
the terminal as it found it.

Usage: terminal.py ROWS COLUMNS PROGRAM [ARGUMENT...]
"""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios


def resize(terminal, rows, columns):
    size = struct.pack("HHHH", int(rows), int(columns), 0, 0)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, size)


def obey(line, master, program):
    verb, *words = line.split()
    if verb == "size":
        resize(master, *words)
    elif verb == "keys":
        os.write(master, bytes.fromhex(words[0]))
    elif verb == "signal":
        program.send_signal(getattr(signal, "SIG" + words[0]))


def relay(master, program):
    """Passes output on and obeys until the program has ended and all is said."""
    commands = b""
    inputs = [master, 0]
    while True:
        ended = program.poll() is not None
        ready, _, _ = select.select(inputs, [], [], 0.05)
        if ended and master not in ready:
            return
        if master in ready:
            os.write(1, os.read(master, 65536))
        if 0 in ready:
            read = os.read(0, 65536)
            if not read:
                inputs.remove(0)
            *lines, commands = (commands + read).split(b"\n")
            for line in lines:
                obey(line.decode(), master, program)


def main():
    rows, columns, *words = sys.argv[1:]
    # The terminal stays open here, so that its modes can be looked at when the program has ended.
    master, slave = pty.openpty()
    resize(master, rows, columns)
    before = termios.tcgetattr(slave)
    own = lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    program = subprocess.Popen(
        words, stdin=slave, stdout=slave, stderr=slave, start_new_session=True, preexec_fn=own
    )
    relay(master, program)
    code = program.returncode
    code = code if code >= 0 else 128 - code
    modes = "same" if termios.tcgetattr(slave) == before else "differ"
    os.write(1, f"\n[code {code}, modes {modes}]\n".encode())


main()
