#!/usr/bin/python3
"""Tries the image, the package and README.md's commands as their users do: run.py [REGEX].

Everything happens in namespaces of its own (processes, mounts, network), with a network that
slirp4netns makes: no interface, firewall rule, mount or port of the machine is touched, and all
that was started ends with this process, however it ends. Files are below build/deploy.
"""

import ctypes
import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import unittest

import place

# One run of everything, on a machine of two cores.
DEADLINE_S = 45 * 60
LAST_WORDS_S = 3
PR_SET_PDEATHSIG = 1


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def child_of(process):
    """The process inside, once there is one."""
    path = f"/proc/{process.pid}/task/{process.pid}/children"

    def look():
        with open(path, encoding="ascii") as children:
            return children.read().split()

    return int(place.eventually("the namespaces", look, 10)[0])


def outside(arguments):
    """Makes the namespaces, runs `inside` in them, and cleans up behind it."""
    if os.geteuid() != 0:
        sys.exit("run.py: this needs root")
    lock = open(place.WORK + ".lock", "w", encoding="ascii")  # until this process ends
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        sys.exit(f"run.py: another run is using {place.WORK}")
    place.remove_abandoned_cgroups()
    place.remove_work()
    os.makedirs(place.WORK)
    begin_reader, begin_writer = os.pipe()
    process = subprocess.Popen(
        [
            "unshare",
            "--mount",
            "--propagation",
            "private",
            "--net",
            "--pid",
            "--fork",
            "--mount-proc",
            "--kill-child=KILL",
            sys.executable,
            os.path.abspath(__file__),
            "--inside",
            str(begin_reader),
            place.cgroup_of(os.getpid()),
            *arguments,
        ],
        pass_fds=[begin_reader],
        preexec_fn=die_with_parent,
    )
    network = None
    try:
        network = subprocess.Popen(
            [
                "slirp4netns",
                "--configure",
                "--mtu=65520",
                "--disable-host-loopback",
                str(child_of(process)),
                "tap0",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=die_with_parent,
        )
        os.write(begin_writer, b"x")
        return wait_for(process)
    finally:
        # A second Ctrl-C does not leave half of it behind.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        process.kill()
        process.wait()
        if network is not None:
            network.kill()
            network.wait()
        place.remove_cgroups(place.cgroup_of(os.getpid()))
        place.remove_work()


def wait_for(process):
    try:
        return process.wait(DEADLINE_S)
    except subprocess.TimeoutExpired:
        print(f"run.py: not done after {DEADLINE_S} s", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        # A terminal tells the one inside as well: it says where it was. Nothing that it leaves outlives
        # its namespaces.
        try:
            process.wait(LAST_WORDS_S)
        except subprocess.TimeoutExpired:
            pass
        return 130


class Result(unittest.TextTestResult):
    """Says what is tried now, and how long it took."""

    passed = 0

    def addSuccess(self, test):
        self.passed += 1
        super().addSuccess(test)

    def startTest(self, test):
        self.begun = time.monotonic()
        super().startTest(test)
        print(f"[ RUN  ] {test.id()}", flush=True)

    def stopTest(self, test):
        bad = any(case is test for case, _ in self.failures + self.errors)
        took = time.monotonic() - self.begun
        print(f"[{'FAILED' if bad else '  OK  '}] {test.id()} ({took:.0f} s)", flush=True)
        super().stopTest(test)


def all_tests(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from all_tests(item)
        else:
            yield item


def inside(begin, cgroup, arguments):
    """Runs the tests whose names match."""
    os.read(begin, 1)
    place.settle(cgroup)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    folder = os.path.dirname(os.path.abspath(__file__))
    found = list(all_tests(unittest.defaultTestLoader.discover(folder, "*_test.py")))
    wanted = re.compile(arguments[0] if arguments else "")
    suite = unittest.TestSuite(test for test in found if wanted.search(test.id()))
    runner = unittest.TextTestRunner(resultclass=Result, verbosity=0, stream=sys.stdout)
    result = runner.run(suite)
    failed = len(result.failures) + len(result.errors)
    print(f"{result.passed} passed, {failed} failed", flush=True)
    return 0 if result.wasSuccessful() and result.testsRun > 0 else 1


def main():
    if sys.argv[1:2] == ["--inside"]:
        sys.exit(inside(int(sys.argv[2]), sys.argv[3], sys.argv[4:]))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.default_int_handler)
    sys.exit(outside(sys.argv[1:]))


if __name__ == "__main__":
    assert shutil.which("slirp4netns"), "run it as `./dev docker-test`"
    main()
