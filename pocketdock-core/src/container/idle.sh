# The first process of a sandbox that stops itself once no command has run in it for $1 seconds,
# looking every $2; after $3 seconds in any case, unless that is 0.
#
# /proc/loadavg ends in the process ID that was given last. Each round of ours takes one for its
# sleep, or none where that is built in; anything beyond is somebody's command. What runs on is
# seen in /proc: the init if there is one, this shell, and nothing else between two sleeps.
#
# A round that takes far longer than it should means that the sandbox was frozen.
clock() { read -r now rest </proc/uptime; now=${now%%.*}; }
last() { read -r a b c d id </proc/loadavg; }
others() {
    n=0
    for process in /proc/[0-9]*; do n=$((n + 1)); done
    [ "$n" -gt "$own" ]
}
idle=$1 interval=$2 ttl=$3 own=2 step=1
[ $$ -ne 1 ] || own=1
for try in 1 2 3; do
    last
    was=$id
    sleep 0 || exit
    last
    [ "$id" -ne "$was" ] || step=0
done
clock
begun=$now seen=$now round=$now was=$id
while :; do
    sleep "$interval" || exit
    clock
    last
    if others || [ $((id - was)) -gt "$step" ] || [ $((now - round)) -gt $((2 * interval + 5)) ]; then
        seen=$now
    fi
    was=$id round=$now
    [ $((now - seen)) -lt "$idle" ] || exit 0
    [ "$ttl" -eq 0 ] || [ $((now - begun)) -lt "$ttl" ] || exit 0
done
