//! Out of a hardened sandbox: each way is tried as root and as a user, and its refusal is named.
//!
//! What the line of a case prints last has to contain one of the refusals; the word `escaped` must
//! not be there. Lines run in busybox; those of the second table make system calls, for which
//! python is the shortest way.

use pocketdock_core::Container;

use crate::fixture::Live;
use crate::host;

/// A line that would print `escaped`, and what is said instead.
type Attack = (&'static str, &'static str, &'static [&'static str]);

const READ_ONLY: &[&str] = &["Read-only file system", "Permission denied"];
const NOT_PERMITTED: &[&str] = &["not permitted", "ermission denied"];
const NO_SUCH: &[&str] = &["No such file", "not permitted", "ermission denied"];
const NO_NETWORK: &[&str] = &["unreachable", "bad address", "not permitted", "denied"];

#[rustfmt::skip] // one case per line
const ATTACKS: [Attack; 38] = [
    ("route",            "ping -c 1 -W 1 1.1.1.1 && echo escaped",                                NO_NETWORK),
    ("loopback of host", "nc -w 1 127.0.0.1 22 </dev/null && echo escaped",                       &["refused"]),
    ("name",             "nslookup example.com 127.0.0.11 2>&1 | grep -q ^Name: && echo escaped; echo none", &["none"]),
    ("connect",          "nc -w 1 1.1.1.1 80 </dev/null && echo escaped",                         NO_NETWORK),
    ("new interface",    "ip link add d type dummy && echo escaped",                              NOT_PERMITTED),
    ("own address",      "ip addr add 10.9.9.9/24 dev lo && echo escaped",                        NOT_PERMITTED),
    ("write the root",   "echo x > /x && echo escaped",                                           READ_ONLY),
    ("write /etc",       "echo x >> /etc/passwd && echo escaped",                                 READ_ONLY),
    ("write a program",  "cp /bin/busybox /bin/new && echo escaped",                              READ_ONLY),
    ("write /usr",       "mkdir /usr/new && echo escaped",                                        READ_ONLY),
    ("remount the root", "mount -o remount,rw / && echo escaped",                                 NOT_PERMITTED),
    ("mount tmpfs",      "mount -t tmpfs none /tmp && echo escaped",                              NOT_PERMITTED),
    ("mount proc",       "mkdir -p /tmp/p && mount -t proc none /tmp/p && echo escaped",             NOT_PERMITTED),
    ("mount sysfs",      "mkdir -p /tmp/s && mount -t sysfs none /tmp/s && echo escaped",            NOT_PERMITTED),
    ("mount cgroup",     "mkdir -p /tmp/c && mount -t cgroup -o memory none /tmp/c && echo escaped", NOT_PERMITTED),
    ("bind over",        "mount --bind /tmp /etc && echo escaped",                                NOT_PERMITTED),
    ("unmount",          "umount /proc/sys && echo escaped",                                      &["not permitted", "ermission denied", "Invalid argument", "not mounted"]),
    ("loosen masks",     "umount /proc/kcore && echo escaped",                                    &["not permitted", "ermission denied", "Invalid argument", "can't unmount", "not mounted"]),
    ("new namespaces",   "unshare -r -m true && echo escaped",                                    NOT_PERMITTED),
    ("enter namespaces", "nsenter -t 1 -m -u -n -i true && echo escaped",                         NOT_PERMITTED),
    ("chroot",           "chroot / /bin/true && echo escaped",                                    NOT_PERMITTED),
    ("pivot",            "mkdir -p /tmp/n && pivot_root /tmp/n /tmp/n && echo escaped",           NOT_PERMITTED),
    ("make a disk",      "mknod /tmp/disk b 254 0 && echo escaped",                               NOT_PERMITTED),
    ("make memory",      "mknod /tmp/mem c 1 1 && echo escaped",                                  NOT_PERMITTED),
    ("the host's disk",  "cat /dev/vda /dev/sda && echo escaped",                                 NO_SUCH),
    ("kernel memory",    "head -c 1 /dev/mem /dev/kmem && echo escaped",                          NO_SUCH),
    ("kernel image",     "[ $(head -c 9 /proc/kcore | wc -c) -gt 0 ] && echo escaped; echo masked", &["masked"]),
    ("kernel log",       "dmesg | grep -q . && echo escaped; echo unread",                         &["unread"]),
    ("sysctl",           "echo 1 > /proc/sys/kernel/panic && echo escaped",                       READ_ONLY),
    ("core pattern",     "echo '|/tmp/x' > /proc/sys/kernel/core_pattern && echo escaped",        READ_ONLY),
    ("sysrq",            "echo h > /proc/sysrq-trigger && echo escaped",                          &["Read-only", "ermission denied", "nonexistent"]),
    ("oom score",        "echo -1000 > /proc/self/oom_score_adj && echo escaped",                 &["ermission denied"]),
    ("/sys",             "echo 0 > /sys/kernel/profiling && echo escaped",                        &["Read-only file system", "ermission denied", "nonexistent", "No such"]),
    ("own limits",       "d=/sys/fs/cgroup; for f in $d/pids.max $d/pids/pids.max; do [ -e $f ] && echo max > $f && echo escaped; done; ls $d/pids.max $d/pids/pids.max >/dev/null", &["Read-only file system", "ermission denied", "No such file"]),
    ("module",           "insmod /tmp/x.ko && echo escaped; rmmod loop && echo escaped; echo none", &["none"]),
    ("clock",            "date -s '2001-01-01 00:00' >/dev/null; [ $(date +%Y) = 2001 ] && echo escaped",                  NOT_PERMITTED),
    ("name of the host", "hostname owned && echo escaped",                                        NOT_PERMITTED),
    ("reboot",           "reboot -f && echo escaped",                                             NOT_PERMITTED),
];

/// What root may not do either, having no capabilities.
#[rustfmt::skip] // one case per line
const OF_ROOT: [Attack; 5] = [
    ("set-uid file",     "cp /bin/busybox /tmp/su && chmod 4755 /tmp/su && [ $(/tmp/su id -u) = 0 ] && [ $(id -u) != 0 ] && echo escaped; echo none", &["none"]),
    ("other's file",     "echo x > /tmp/f && chown 1000 /tmp/f && echo escaped",                  NOT_PERMITTED),
    ("another user",     "busybox su sandbox -c id && echo escaped",                              NOT_PERMITTED),
    ("nice",             "renice -n -10 $$ && echo escaped",                                      NOT_PERMITTED),
    ("capabilities",     "grep -E '^Cap(Eff|Prm|Bnd|Inh|Amb)' /proc/self/status | grep -q '[1-9a-f]$' && echo escaped; echo none", &["none"]),
];

/// What Podman's own list of system calls lets everybody do, and Docker's does not.
const PODMAN_ALLOWS: [&str; 3] = ["new namespaces", "user namespace", "keyring"];

fn is_allowed(live: &Live, name: &str) -> bool {
    live.is_podman() && PODMAN_ALLOWS.contains(&name)
}

fn attempt(sandbox: &Container, user: &str, (name, line, refusals): &Attack) {
    let result = sandbox.exec(*line).user(user).run();
    let result = result.unwrap_or_else(|error| panic!("{name} as {user}: {error}"));
    let said = [result.stdout_text(), result.stderr_text()].concat();
    let refused = refusals.iter().any(|refusal| said.contains(refusal));
    assert!(
        refused && !said.contains("escaped"),
        "{name} as {user}: {said:?}, code {}",
        result.exit_code
    );
}

#[test]
fn a_hardened_sandbox_holds() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.create(&live.options().hardened());
    for user in ["root", "sandbox"] {
        for attack in ATTACKS.iter().filter(|it| !is_allowed(&live, it.0)) {
            attempt(&sandbox, user, attack);
        }
    }
    for attack in &OF_ROOT {
        attempt(&sandbox, "root", attack);
    }
    assert!(sandbox.run("true").unwrap().ok(), "it is still whole");
}

/// A system call by its number on x86-64 and on arm64, by way of the C library.
#[rustfmt::skip] // one case per line
const CALLS: [(&str, &str); 16] = [
    ("raw socket",       "import socket as s; s.socket(s.AF_INET, s.SOCK_RAW, s.IPPROTO_ICMP)"),
    ("packet socket",    "import socket as s; s.socket(s.AF_PACKET, s.SOCK_RAW, 3)"),
    ("low port",         "import socket as s; x = s.socket(); x.connect(('1.1.1.1', 80))"),
    ("ptrace",           "check(libc.ptrace(16, other(), 0, 0))"),
    ("other's memory",   "open(f'/proc/{other()}/mem', 'wb').write(b'x')"),
    ("other's files",    "os.listdir(f'/proc/{other()}/fd')"),
    ("other's signals",  "os.kill(other(), 9)"),
    ("set-uid 0",        "os.setuid(0)"),
    ("groups",           "os.setgroups([0])"),
    ("mount",            "check(libc.mount(b'none', b'/tmp', b'tmpfs', 0, 0))"),
    ("user namespace",   "check(libc.unshare(0x10000000)); check(libc.unshare(0x20000))"),
    ("bpf",              "check(libc.syscall({'x86_64': 321}.get(machine, 280), 0, 0, 0))"),
    ("keyring",          "check(libc.syscall({'x86_64': 250}.get(machine, 219), 0, -3, 1))"),
    ("perf",             "check(libc.syscall({'x86_64': 298}.get(machine, 241), 0, 0, -1, -1, 0))"),
    ("module",           "check(libc.syscall({'x86_64': 313}.get(machine, 273), 0, b'', 0))"),
    ("open by handle",   "check(libc.syscall({'x86_64': 304}.get(machine, 265), 3, b'\\0' * 24, 0))"),
];

const PRELUDE: &str = "
import ctypes, os, platform
libc = ctypes.CDLL(None, use_errno=True)
machine = platform.machine()
def check(outcome):
    if outcome < 0:
        raise OSError(ctypes.get_errno(), 'refused')
def other():
    running = [it for it in os.listdir('/proc') if it.isdigit()]
    return next(int(it) for it in running if os.stat(f'/proc/{it}').st_uid == 0)
try:
    exec(__import__('sys').argv[1])
    print('escaped')
except OSError as error:
    print('refused:', error)
";

#[test]
fn a_hardened_sandbox_holds_against_system_calls() {
    let Some(live) = Live::begin() else { return };
    let options = live.options().image(live.python_image()).hardened();
    let sandbox = live.create(&options);
    // Somebody else in the same sandbox.
    let other = sandbox.exec(["sleep", "1000"]).user("root").no_timeout();
    let other = other.detach().unwrap();
    for (name, code) in CALLS.iter().filter(|it| !is_allowed(&live, it.0)) {
        let command = ["python3", "-c", PRELUDE, *code];
        let result = sandbox.exec(command).run().unwrap();
        let said = [result.stdout_text(), result.stderr_text()].concat();
        assert!(said.starts_with("refused:"), "{name}: {said}");
    }
    assert!(other.is_running().unwrap());
}

/// What it can see and signal is its own.
#[test]
fn a_hardened_sandbox_sees_only_itself() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.create(&live.options().hardened());
    let seen = sandbox.run("ls -d /proc/[0-9]* | wc -l").unwrap();
    let count: usize = seen.stdout_text().trim().parse().unwrap();
    assert!(count < 10, "{count} processes");
    let before = host::process_ids(&sandbox);
    // Everything it may signal is in it; its init lives through that.
    let result = sandbox.exec("kill -9 -1; echo alive").run().unwrap();
    assert!(result.stdout_text().contains("alive") || result.exit_code == 137);
    assert!(!before.is_empty() && live.engine().version() != "");
    assert_eq!(live.sandbox().run("echo other").unwrap().stdout, b"other\n");
}

/// Its limits hold, and a command that has used them up is still ended when its time is up.
#[test]
fn a_hardened_sandbox_stays_within_its_limits() {
    let Some(live) = Live::begin() else { return };
    if !live.needs_control_groups() {
        return;
    }
    let options = live.options().hardened().mem_limit("64m").pids_limit(64);
    let sandbox = live.create(&options);
    let line = "head -c 200000000 /dev/zero | tail -c 150000000 | wc -c";
    let memory = sandbox.run(line).unwrap();
    assert_ne!(memory.stdout_text().trim(), "150000000", "{memory:?}");
    // What lies in a memory mount counts as well.
    let filled = sandbox.run("head -c 200000000 /dev/zero > /tmp/x").unwrap();
    assert!(!filled.ok(), "{filled:?}");
    sandbox.stop().unwrap();
    sandbox.resume().unwrap();
    assert!(
        sandbox.run("echo on").unwrap().ok(),
        "the mount is empty again"
    );
}

#[test]
fn a_command_that_has_used_up_the_memory_is_timed_out() {
    let Some(live) = Live::begin() else { return };
    if !live.needs_control_groups() {
        return;
    }
    let options = live.options().hardened().mem_limit("64m");
    let sandbox = live.create(&options);
    // So near to the limit that no other program can be started.
    let line = "head -c 60m /dev/zero >/tmp/x; while head -c 64k /dev/zero >>/tmp/y; do :; done; \
                while :; do sleep 1000; done";
    let command = sandbox.exec(["sh", "-c", line]);
    let result = command.timeout(std::time::Duration::from_secs(5)).run();
    let result = result.unwrap();
    // The kernel may have ended it before, or the whole sandbox.
    assert!(matches!(result.exit_code, 124 | 137), "{result:?}");
    sandbox.resume().unwrap();
    host::assert_idle(&sandbox);
}
