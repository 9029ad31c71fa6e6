#!/usr/bin/env bash
# Starts and stops a private pair of container engines, Docker and Podman, for the tests.
#
#   bash tests/engines.sh start DIR    both engines answer when this returns
#   bash tests/engines.sh stop DIR     everything the pair started is gone when this returns
#   bash tests/engines.sh restart DIR docker|podman    one that has ended, with what it had
#
# Everything the engines keep lives under DIR: sockets (DIR/docker.sock, DIR/podman.sock), images,
# locks, logs, event files and pids. Each engine has a bridge and a subnet of its own, so a running
# engine of this machine, its containers and its networks are never touched. Also a library:
# `source` it and call the functions.
#
# With ENGINES_DATA_SIZE (`400m`) each engine keeps its data on a file system in memory of that size.
#
# Needs root, and the packages tests/run.sh installs. Written for Docker 20.10 to 28 and Podman 4.3 to
# 5.8. ENGINE_TREE in the environment is a tree of tests/trees.sh to run the engines of, instead of
# this machine's, and ENGINE_USER a user for Podman to run as, without root. Not done here: images
# (tests/base-images.sh).
set -euo pipefail

READY_WITHIN_S=60
STOP_WITHIN_S=20

say() { printf '%s\n' "engines: $*" >&2; }

ping_ok() { # SOCKET
    [ "$(curl -s --max-time 5 --unix-socket "$1" http://localhost/_ping 2>/dev/null)" = OK ]
}

# Takes the first number whose bridges do not exist yet; creating one is the lock against other
# pairs.
claim_network() { # DIR
    local dir=$1 number
    for number in $(seq 1 250); do
        if ip link add "pdtest$number" type bridge 2>/dev/null; then
            printf '%s\n' "$number" >"$dir/network"
            ip address add "10.213.$number.1/24" dev "pdtest$number"
            ip link set "pdtest$number" up
            return
        fi
    done
    say "no free bridge name"
    return 1
}

# Docker keeps its hands off iptables (it would rewrite the rules of a running engine), so the rules
# that let its containers reach the network are written here, each bound to our own bridge.
docker_rules() { # ADD_OR_DELETE NUMBER
    local verb=$1 bridge=pdtest$2 subnet=10.213.$2.0/24
    iptables -w -t nat "$verb" POSTROUTING -s "$subnet" ! -o "$bridge" -j MASQUERADE
    iptables -w "$verb" FORWARD -i "$bridge" -j ACCEPT
    iptables -w "$verb" FORWARD -o "$bridge" -j ACCEPT
}

# What stands before the command of an engine: whose root and whose rights it is to have.
read_prefix() { # DIR
    ENGINE_PREFIX=()
    if [ -n "${ENGINE_TREE-}" ]; then
        ENGINE_PREFIX+=(bash "$(realpath "${BASH_SOURCE[0]%/*}")/trees.sh" enter "$ENGINE_TREE")
    fi
    if [ -n "${ENGINE_USER-}" ]; then
        ENGINE_PREFIX+=(setpriv --reuid "$ENGINE_USER" --regid "$ENGINE_USER" --init-groups
            env "HOME=$1/home" "XDG_RUNTIME_DIR=$1/runtime" "USER=$ENGINE_USER")
    fi
}

# What is full when its engine has written so much.
mount_small_disks() { # DIR SIZE ENGINE...
    local dir=$1 size=$2 engine
    shift 2
    for engine in "$@"; do
        mkdir -p "$dir/$engine"
        mount -t tmpfs -o "size=$size" "pd-$engine" "$dir/$engine"
    done
}

start_docker() { # DIR
    local dir=$1 number
    number=$(cat "$dir/network")
    docker_rules -I "$number" || say "no iptables: Docker containers will have no network"
    # The configuration of this machine's own engine must not be read, hence the empty file.
    echo '{}' >"$dir/docker.json"
    setsid nohup "${ENGINE_PREFIX[@]}" dockerd --config-file "$dir/docker.json" --host "unix://$dir/docker.sock" \
        --data-root "$dir/docker/data" --exec-root "$dir/docker/exec" \
        --pidfile "$dir/docker/dockerd.pid" \
        --bridge "pdtest$number" --iptables=false --ip6tables=false \
        </dev/null >"$dir/docker.log" 2>&1 &
    echo $! >"$dir/docker.pid"
}

write_podman_configuration() { # DIR
    local dir=$1 number network_id
    number=$(cat "$dir/network")
    network_id=$(printf 'pdtest%s' "$number" | sha256sum | cut -c1-64)
    mkdir -p "$dir/podman/networks"
    cat >"$dir/podman/containers.conf" <<CONF
[containers]
# Soft and hard equal, because 4.3 swaps them for containers made over the Docker-compatible API,
# and low, because the built-in 1048576 is above the hard limit of many virtual machines.
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
[engine]
# crun refuses the mixed cgroup v1 and v2 mounts some machines have.
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
events_logfile_path = "$dir/podman/events.log"
# The built-in 300 s keep two processes alive after every exec.
exit_command_delay = 30
# The built-in locks are shared with every other Podman of this machine.
lock_type = "file"
tmp_dir = "$dir/podman/tmp"
[network]
network_backend = "netavark"
network_config_dir = "$dir/podman/networks"
default_network = "pdtest$number"
CONF
    cat >"$dir/podman/networks/pdtest$number.json" <<NETWORK
{"name": "pdtest$number", "id": "$network_id", "driver": "bridge",
 "network_interface": "pdtest${number}p", "created": "2025-01-01T00:00:00Z",
 "subnets": [{"subnet": "10.214.$number.0/24", "gateway": "10.214.$number.1"}],
 "ipv6_enabled": false, "internal": false, "dns_enabled": false,
 "ipam_options": {"driver": "host-local"}}
NETWORK
    cat >"$dir/podman/storage.conf" <<CONF
[storage]
driver = "overlay"
graphroot = "$dir/podman/root"
runroot = "$dir/podman/run"
CONF
    echo 'unqualified-search-registries = []' >"$dir/podman/registries.conf"
}

start_podman() { # DIR
    local dir=$1
    write_podman_configuration "$dir"
    if [ -n "${ENGINE_USER-}" ]; then
        mkdir -p "$dir/home" "$dir/runtime"
        chmod 700 "$dir/runtime"
        chown -R "$ENGINE_USER:" "$dir"
    fi
    # Started in a directory of its own, because conmon leaves a file `oom` where its Podman was
    # started. The last two variables are for newer Podmans: no word on cgroups v1, no nftables.
    env --chdir="$dir/podman" CONTAINERS_CONF="$dir/podman/containers.conf" \
        CONTAINERS_STORAGE_CONF="$dir/podman/storage.conf" \
        CONTAINERS_REGISTRIES_CONF="$dir/podman/registries.conf" \
        PODMAN_IGNORE_CGROUPSV1_WARNING=1 NETAVARK_FW=iptables \
        setsid nohup "${ENGINE_PREFIX[@]}" podman --root "$dir/podman/root" --runroot "$dir/podman/run" \
        --tmpdir "$dir/podman/tmp" system service --time=0 "unix://$dir/podman.sock" \
        </dev/null >"$dir/podman.log" 2>&1 &
    echo $! >"$dir/podman.pid"
}

wait_ready() { # DIR ENGINE
    local deadline=$((SECONDS + READY_WITHIN_S))
    until ping_ok "$1/$2.sock"; do
        if ! kill -0 "$(cat "$1/$2.pid")" 2>/dev/null || [ "$SECONDS" -ge "$deadline" ]; then
            say "$2 did not start:"
            tail -n 20 "$1/$2.log" >&2
            return 1
        fi
        sleep 0.1
    done
}

start_engines() { # DIR [ENGINE...]
    local dir began=${EPOCHREALTIME/./} engine took_ms
    mkdir -p "$1"
    dir=$(realpath "$1")
    shift
    [ "$#" -gt 0 ] || set -- docker podman
    if [ -e "$dir/network" ]; then
        say "$dir already holds a pair of engines"
        return 1
    fi
    claim_network "$dir"
    read_prefix "$dir"
    [ -z "${ENGINES_DATA_SIZE-}" ] || mount_small_disks "$dir" "$ENGINES_DATA_SIZE" "$@"
    for engine in "$@"; do "start_$engine" "$dir"; done
    for engine in "$@"; do
        wait_ready "$dir" "$engine" || { stop_engines "$dir"; return 1; }
        took_ms=$(((${EPOCHREALTIME/./} - began) / 1000))
        say "$engine answers after $took_ms ms on $dir/$engine.sock"
    done
}

# Docker takes a process that was killed and that nobody has collected yet for one that lives.
forget_dead() { # PIDFILE
    local pid state=
    pid=$(cat "$1" 2>/dev/null) || return 0
    state=$(ps -o stat= -p "$pid") || true
    case $state in '' | Z*) rm -f "$1" ;; esac
}

restart_engine() { # DIR ENGINE
    local dir
    dir=$(realpath "$1")
    case $2 in
        docker)
            docker_rules -D "$(cat "$dir/network")" 2>/dev/null || true
            forget_dead "$dir/docker/dockerd.pid"
            forget_dead "$dir/docker/exec/containerd/containerd.pid"
            start_docker "$dir"
            ;;
        *)
            rm -f "$dir/podman.sock"
            start_podman "$dir"
            ;;
    esac
    wait_ready "$dir" "$2"
}

# Through the engine, so that it also removes its networks, mounts and cgroups.
remove_containers() { # SOCKET
    local id
    ping_ok "$1" || return 0
    curl -s --max-time 20 --unix-socket "$1" 'http://localhost/v1.40/containers/json?all=true' |
        sed 's/"Id":"/\n&/g' | sed -n 's/^"Id":"\([0-9a-f]\{64\}\)".*/\1/p' |
        while read -r id; do
            curl -s --max-time 20 -o /dev/null -X POST --unix-socket "$1" \
                "http://localhost/v1.40/containers/$id/unpause" || true
            curl -s --max-time 20 -o /dev/null -X DELETE --unix-socket "$1" \
                "http://localhost/v1.40/containers/$id?force=true&v=true" || true
        done
}

# The engines of DIR and what they started: shims, proxies, conmons. Told by their names and by DIR
# in their arguments, which this shell's own arguments may hold too.
pids_of() { # DIR
    local cmdline pid
    for cmdline in /proc/[0-9]*/cmdline; do
        pid=${cmdline#/proc/}
        pid=${pid%/cmdline}
        case $({ tr '\0' ' ' <"$cmdline"; } 2>/dev/null) in
            dockerd*"$1/docker"* | *containerd*"$1/docker"*) echo "$pid" ;;
            podman*"$1/podman"* | *conmon*"$1/podman"*) echo "$pid" ;;
        esac
    done
}

end_process() { # PID WITHIN_S
    local deadline=$((SECONDS + $2))
    kill -TERM "$1" 2>/dev/null || return 0
    while kill -0 "$1" 2>/dev/null; do
        if [ "$SECONDS" -ge "$deadline" ]; then
            kill -KILL "$1" 2>/dev/null || true
            return
        fi
        sleep 0.1
    done
}

unmount_below() { # DIR
    local mount
    # Deepest first: the last mounted is the last listed.
    awk '{print $5}' /proc/self/mountinfo | tac | while read -r mount; do
        case $mount in
            "$1"/*) umount -l "$mount" 2>/dev/null || true ;;
        esac
    done
}

# Goes on after a step that fails, so that what can be removed is.
stop_engines() { # DIR
    stop_engines_here "$1" || true
}

stop_engines_here() { # DIR
    local dir number engine pid
    [ -e "$1/network" ] || return 0
    dir=$(realpath "$1")
    number=$(cat "$dir/network")
    for engine in docker podman; do
        remove_containers "$dir/$engine.sock"
        if [ -e "$dir/$engine.pid" ]; then
            end_process "$(cat "$dir/$engine.pid")" "$STOP_WITHIN_S"
        fi
    done
    # Without their engine these have nothing more to do; some ignore SIGTERM.
    for pid in $(pids_of "$dir"); do
        end_process "$pid" 1
    done
    unmount_below "$dir"
    docker_rules -D "$number" 2>/dev/null || true
    ip link delete "pdtest${number}p" 2>/dev/null || true
    ip link delete "pdtest$number" 2>/dev/null || true
    rm -f "$dir/network" "$dir"/{docker,podman}.{sock,pid}
}

# Run, not sourced.
if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    case ${1-}:${2-} in
        start:?*) start_engines "$2" ;;
        stop:?*) stop_engines "$2" ;;
        restart:?*) restart_engine "$2" "${3:?docker or podman}" ;;
        *)
            echo "usage: tests/engines.sh start|stop DIR, restart DIR docker|podman" >&2
            exit 2
            ;;
    esac
fi
