"""A terminal with a shell in a container, and what a person sees and types there."""

import os
import pty
import re
import select
import subprocess
import time

import place

# What commands say when they have begun what only Ctrl-C ends; then they are quiet.
STAYS = re.compile(r'\blistens on\b|"event":"listening"|\bConnected\b|\bCtrl-C\b|\bCTRL\+C\b')
QUIET_S = 5
PROMPT = "[newcomer]$ "
CTRL_C = b"\x03"


class Terminal:
    def __init__(self, command, environment):
        controller, terminal = pty.openpty()
        self.controller = controller
        self.process = subprocess.Popen(
            command,
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            env=environment,
            start_new_session=True,
        )
        os.close(terminal)
        self.screen = ""
        self.busy = False
        self.typed = 0
        self.type_line(f"PS1='{PROMPT[:4]}''{PROMPT[4:]}'; stty -echo")
        self.wait_for(re.escape(PROMPT), 60)

    def type_line(self, text):
        os.write(self.controller, text.encode() + b"\n")

    def look(self, seconds):
        """Takes in what is printed; whether anything was."""
        ready, _, _ = select.select([self.controller], [], [], seconds)
        if not ready:
            return False
        try:
            self.screen += (
                os.read(self.controller, 65536).decode(errors="replace").replace("\r", "")
            )
        except OSError as error:
            raise place.Failed(f"the terminal is gone; it said\n{self.screen[-4000:]}") from error
        return True

    def wait_for(self, pattern, seconds, begin=0):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = re.compile(pattern).search(self.screen, begin)
            if found:
                return found
            self.look(0.5)
        raise place.Failed(
            f"no {pattern} within {seconds} s; the terminal says\n{self.screen[begin:][-6000:]}"
        )

    def interrupt(self):
        """Ctrl-C, and the prompt that follows."""
        begin = len(self.screen)
        os.write(self.controller, CTRL_C)
        self.wait_for(re.escape(PROMPT), 30, begin)
        self.busy = False

    def run_script(self, path, seconds):
        """Types `. path`: waits until it has ended well, or stays."""
        if self.busy:
            self.interrupt()
        self.typed += 1
        begin = len(self.screen)
        self.type_line(f'. {path}; echo "[ended {self.typed} $?]"')
        done = re.compile(rf"\[ended {self.typed} (\d+)\]")
        end = time.monotonic() + seconds
        quiet_since = time.monotonic()
        while time.monotonic() < end:
            if self.look(0.5):
                quiet_since = time.monotonic()
            shown = self.screen[begin:]
            ended = done.search(shown)
            if ended:
                if ended.group(1) != "0":
                    raise place.Failed(f"ended with {ended.group(1)}:\n{shown[-6000:]}")
                return
            if time.monotonic() - quiet_since > QUIET_S and STAYS.search(shown[-2000:]):
                self.busy = True
                return
        raise place.Failed(f"not done within {seconds} s:\n{self.screen[begin:][-6000:]}")

    def close(self):
        """Ends what stays, as a person would, and the shell."""
        try:
            if self.busy:
                self.interrupt()
        finally:
            self.process.kill()
            self.process.wait()
            os.close(self.controller)
