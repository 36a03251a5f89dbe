"""Where the tests take place: a folder, namespaces with a network, and clean Debian roots."""

import glob
import os
import re
import shutil
import subprocess
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WORK = os.path.join(ROOT, "build", "deploy")
SUITE = "bookworm"
# Kept for the next run: what comes from it is brought up to date anyway.
BASE = os.path.join(ROOT, "build", "debian-" + SUITE + ".tar")
BASE_AGE_S = 7 * 24 * 3600
DEFAULT_SOURCES = [
    ("http://deb.debian.org/debian", SUITE),
    ("http://deb.debian.org/debian", SUITE + "-updates"),
    ("http://deb.debian.org/debian-security", SUITE + "-security"),
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


def sources():
    """Where this machine has its Debian packages from."""
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
        if re.fullmatch(SUITE + "(-updates|-security)?", release) and (uri, release) not in found:
            found.append((uri, release))
    return found if any(release == SUITE for _, release in found) else DEFAULT_SOURCES


def give_settings(root):
    """What apt needs to reach the packages from in here, as this machine has it."""
    with open(f"{root}/etc/apt/sources.list", "w", encoding="utf-8") as file:
        for uri, release in sources():
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


def bootstrap(root):
    uri = next(uri for uri, release in sources() if release == SUITE)
    run("debootstrap", "--variant=minbase", SUITE, root, uri, timeout=600)
    slim(root)


def base_root():
    """A minimal Debian, which nobody changes."""
    root = os.path.join(WORK, "base")
    if os.path.exists(root):
        return root
    if not os.path.exists(BASE) or time.time() - os.path.getmtime(BASE) > BASE_AGE_S:
        bootstrap(root + ".new")
        run("tar", "-C", root + ".new", "-cf", BASE + ".new", ".")
        os.rename(BASE + ".new", BASE)
        shutil.rmtree(root + ".new")
    os.makedirs(root + ".new")
    run("tar", "-C", root + ".new", "-xpf", BASE)
    give_settings(root + ".new")
    os.rename(root + ".new", root)
    return root
