"""Where the tests take place: a folder, namespaces with a network, and clean Debian roots."""

import glob
import os
import re
import shutil
import subprocess
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WORK = os.path.join(ROOT, "build", "deploy")
# The releases of Debian that Holdfast is built on: the image and the package are made on the first.
SUITES = ("bookworm", "trixie")
SUITE = SUITES[0]
# Bootstrapped roots are kept for the next run: what comes from one is brought up to date anyway.
BASE_AGE_S = 7 * 24 * 3600
DEFAULT_SOURCES = [
    ("http://deb.debian.org/debian", ""),
    ("http://deb.debian.org/debian", "-updates"),
    ("http://deb.debian.org/debian-security", "-security"),
]
# What the network outside wants of those who use it, and nothing else of the machine's environment.
PASSED_ON = re.compile(
    r"^((https?|no|all)_proxy|pip_(cert|index_url|default_timeout)|npm_config_.*|"
    r"node_extra_ca_certs)$",
    re.IGNORECASE,
)
NAMESERVER = "10.0.2.3"  # slirp4netns's


class Failed(AssertionError):
    """A command that ended badly, with its words."""


def run(*command, check=True, timeout=300, **options):
    """Runs a command to its end: its output, both streams in one."""
    if "input" not in options:
        options = {"stdin": subprocess.DEVNULL} | options
    done = subprocess.run(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=timeout,
        text=True,
        errors="replace",
        check=False,
        **options,
    )
    if check and done.returncode != 0:
        raise Failed(
            f"`{' '.join(str(word) for word in command)}` ended with {done.returncode}:\n"
            f"{done.stdout[-8000:]}"
        )
    return done.stdout


def status_of(*command, timeout=60, **options):
    return subprocess.run(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=timeout,
        check=False,
        **options,
    ).returncode


def eventually(what, look, seconds=30):
    """Waits until `look` answers something; what it answered."""
    end = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > end:
            raise Failed(f"no {what} within {seconds} s")
        time.sleep(0.1)


def mounted_below(folder):
    with open("/proc/self/mountinfo", encoding="utf-8") as mounts:
        return [line for line in mounts if line.split()[4].startswith(folder + "/")]


def remove_work():
    """Removes the folder; never through a mount."""
    if mounted_below(WORK):
        raise Failed(f"something is mounted below {WORK}")
    run("rm", "--recursive", "--force", "--one-file-system", WORK)


# ---- control groups


def cgroup_of(pid):
    return f"holdfast-deploy-{pid}"


def hierarchies():
    """Of all controllers; of cgroup v2 alone the one."""
    if os.path.exists("/sys/fs/cgroup/cgroup.controllers"):
        return ["/sys/fs/cgroup"]
    return [
        folder
        for folder in glob.glob("/sys/fs/cgroup/*")
        if os.path.exists(folder + "/cgroup.procs")
    ]


def remove_abandoned_cgroups():
    """Those of runs that were killed, and could not do so themselves."""
    paths = [path for folder in hierarchies() for path in glob.glob(folder + "/holdfast-deploy-*")]
    for group in {os.path.basename(path) for path in paths}:
        pid = re.match(r"holdfast-deploy-(\d+)", group).group(1)
        if not os.path.exists(f"/proc/{pid}"):
            remove_cgroups(group)


def remove_cgroups(name):
    """Once the processes in them are gone."""

    def gone():
        left = 0
        for hierarchy in hierarchies():
            for group in glob.glob(f"{hierarchy}/{name}*"):
                for folder, _, _ in os.walk(group, topdown=False):
                    try:
                        os.rmdir(folder)
                    except OSError:
                        left += 1
        return left == 0

    eventually("end of all that was started", gone)


def settle(cgroup):
    """Makes this process's namespaces a place to run an engine and machines in."""
    run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
    resolver = os.path.join(WORK, "resolv.conf")
    with open(resolver, "w", encoding="ascii") as file:
        file.write(f"nameserver {NAMESERVER}\n")
    target = os.path.realpath("/etc/resolv.conf")
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with open(target, "a", encoding="ascii"):
        pass
    run("mount", "--bind", resolver, target)
    eventually("network", lambda: "10.0.2.100" in run("ip", "-brief", "address"))
    # Machines get groups below this one's, where nobody else's are.
    for hierarchy in hierarchies():
        if os.path.basename(hierarchy) in ("systemd", "unified", "cgroup"):
            group = os.path.join(hierarchy, cgroup)
            os.makedirs(group, exist_ok=True)
            with open(group + "/cgroup.procs", "w", encoding="ascii") as processes:
                processes.write("0")
    os.environ["HOLDFAST_CGROUP"] = cgroup


# ---- clean Debian roots


def passed_on():
    """Variables for programs that use the network outside."""
    return {name: value for name, value in os.environ.items() if PASSED_ON.match(name)}


def sources(suite):
    """Where this machine has its Debian packages from, for a release of Debian."""
    found = []
    listed = run(
        "apt-get",
        "indextargets",
        "--format",
        "$(REPO_URI) $(RELEASE)",
        "Created-By: Packages",
        check=False,
    )
    for line in listed.splitlines():
        uri, _, release = line.partition(" ")
        part = re.fullmatch(f"(?:{'|'.join(SUITES)})(|-updates|-security)", release)
        if part and (uri, part[1]) not in found:
            found.append((uri, part[1]))
    if not any(part == "" for _, part in found):
        found = DEFAULT_SOURCES
    return [(uri, suite + part) for uri, part in found]


def give_settings(root, suite):
    """What apt needs to reach the packages from in here, as this machine has it."""
    with open(f"{root}/etc/apt/sources.list", "w", encoding="utf-8") as file:
        for uri, release in sources(suite):
            file.write(f"deb {uri} {release} main\n")
    dump = run("apt-config", "dump", check=False)
    settings = re.findall(r"^Acquire::(?:Check-|https?::|Retries|ForceIPv).*$", dump, re.MULTILINE)
    with open(f"{root}/etc/apt/apt.conf.d/90machine", "w", encoding="utf-8") as file:
        file.write("\n".join(settings) + "\n")
    # Of use once ca-certificates is installed, which takes them in.
    authorities = f"{root}/usr/local/share/ca-certificates"
    os.makedirs(authorities, exist_ok=True)
    for certificate in glob.glob("/usr/local/share/ca-certificates/*.crt"):
        shutil.copy(certificate, authorities)


def slim(root):
    """Leaves out what the slim image leaves out."""
    with open(f"{root}/etc/dpkg/dpkg.cfg.d/slim", "w", encoding="ascii") as file:
        for folder in ("doc", "info", "locale", "man", "lintian"):
            file.write(f"path-exclude /usr/share/{folder}/*\n")
        # What is installed in a root is thrown away with it: no need to wait for the disk.
        file.write("path-include /usr/share/doc/*/copyright\nforce-unsafe-io\n")
    for pattern in (
        "usr/share/doc/*",
        "usr/share/info/*",
        "usr/share/locale/*",
        "usr/share/man/*",
        "var/cache/apt/*.bin",
        "var/cache/apt/archives/*.deb",
        "var/lib/apt/lists/*",
        "var/log/*.log",
    ):
        for path in glob.glob(f"{root}/{pattern}"):
            shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)


def bootstrap(root, suite):
    uri = next(uri for uri, release in sources(suite) if release == suite)
    run("debootstrap", "--variant=minbase", suite, root, uri, timeout=600)
    slim(root)


def base_root(suite=SUITE):
    """A minimal Debian, which nobody changes."""
    root = os.path.join(WORK, "base-" + suite)
    if os.path.exists(root):
        return root
    kept = os.path.join(ROOT, "build", f"debian-{suite}.tar")
    if not os.path.exists(kept) or time.time() - os.path.getmtime(kept) > BASE_AGE_S:
        bootstrap(root + ".new", suite)
        run("tar", "-C", root + ".new", "-cf", kept + ".new", ".")
        os.rename(kept + ".new", kept)
        shutil.rmtree(root + ".new")
    os.makedirs(root + ".new")
    run("tar", "-C", root + ".new", "-xpf", kept)
    give_settings(root + ".new", suite)
    os.rename(root + ".new", root)
    return root
