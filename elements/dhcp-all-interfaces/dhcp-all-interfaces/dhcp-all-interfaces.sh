#!/bin/bash
# dhcp-all-interfaces.sh [--up] [INTERFACE]: configures an interface, or each one, to get its address by DHCP;
# with --up it is brought up too. An interface that is configured already, has no link, or has no hardware
# address of its own is left alone.

if [ "${DIB_DEBUG_TRACE:-0}" -gt 0 ]; then
    set -x
fi
set -eu
set -o pipefail

PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
NET=${SYS_CLASS_NET:-/sys/class/net}
ENI=/etc/network/interfaces
IFCFG=/etc/sysconfig/network-scripts
WICKED=/etc/sysconfig/network
KEYFILES=/etc/NetworkManager/system-connections
NETWORKD=/etc/systemd/network

DIB_DHCP_TIMEOUT=30
if [ -r /etc/default/dhcp-all-interfaces ]; then
    # shellcheck source=/dev/null
    . /etc/default/dhcp-all-interfaces
fi

# What reads ifcfg files: initscripts, or a NetworkManager that still does.
reads_ifcfg() {
    [ -d "$IFCFG" ] && {
        compgen -G "$IFCFG/ifup-*" ||
            compgen -G '/usr/lib*/NetworkManager/*/libnm-settings-plugin-ifcfg-rh.so'
    } >/dev/null
}

manager() {
    if [ -d /etc/network ]; then
        echo eni
    elif reads_ifcfg; then
        echo ifcfg
    elif [ -d "$WICKED" ]; then
        echo wicked
    elif command -v nmcli >/dev/null; then
        echo networkmanager
    elif command -v networkctl >/dev/null; then
        echo networkd
    elif [ -d "$IFCFG" ]; then
        echo ifcfg
    else
        echo "dhcp-all-interfaces: nothing here configures networks: no ifupdown, network-scripts, NetworkManager or systemd-networkd" >&2
        return 1
    fi
}

# A fact about an interface; nothing where the kernel does not say.
fact() {
    cat "$NET/$1/$2" 2>/dev/null || true
}

# A VLAN has the address of the interface below it (2: taken from another one), which has its own (0).
is_vlan() {
    [[ $1 == *.* ]] && [ "$(fact "$1" addr_assign_type)" = 2 ] && [ "$(fact "${1%%.*}" addr_assign_type)" = 0 ]
}

is_configured() {
    case $manager in
    eni) [ -n "$(ifquery "$1" 2>/dev/null)" ] ;;
    ifcfg) [ -e "$IFCFG/ifcfg-$1" ] ;;
    wicked) [ -e "$WICKED/ifcfg-$1" ] ;;
    networkmanager) grep -qsFx "interface-name=$1" "$KEYFILES"/* ;;
    networkd) grep -qsFx "Name=$1" "$NETWORKD"/* ;;
    esac
}

has_link() {
    local tries
    for ((tries = DIB_DHCP_TIMEOUT; tries > 0; tries--)); do
        # Each time: some drivers take the interface down again while they settle.
        ip link set dev "$1" up 2>/dev/null || true
        if [ "$(fact "$1" carrier)" = 1 ]; then
            return
        fi
        sleep 1
    done
    return 1
}

# How the router wants hosts to get their IPv6 addresses: managed (DHCPv6), other (the address by themselves,
# the rest by DHCPv6), auto (all by themselves); none without a router, or without the tool to ask.
ipv6_mode() {
    local tries answer status
    if ! command -v rdisc6 >/dev/null; then
        echo none
        return
    fi
    for ((tries = DIB_DHCP_TIMEOUT; tries > 0; tries--)); do
        status=0
        answer=$(rdisc6 --retry 3 --single "$1" 2>/dev/null) || status=$?
        case $status in
        0)
            if grep -q 'Stateful address conf.*Yes' <<<"$answer"; then
                echo managed
            elif grep -q 'Stateful other conf.*Yes' <<<"$answer"; then
                echo other
            else
                echo auto
            fi
            return
            ;;
        2) break ;; # nobody has answered
        esac
        # The interface has no address of its own link yet, to ask from.
        sleep 1
    done
    echo none
}

# Lets dhclient say who it is by the machine's id (RFC 6355), so that all interfaces are one host.
write_duid() {
    local leases=/var/lib/dhcp
    if [ -d /var/lib/dhclient ]; then
        leases=/var/lib/dhclient
    fi
    mkdir -p "$leases"
    printf 'default-duid "\\x00\\x04%s";\n' "$(sed 's/../\\x&/g' /etc/machine-id)" >"$leases/dhclient6--$1.lease"
}

configure_eni() {
    {
        printf 'auto %s\niface %s inet dhcp\n\n' "$1" "$1"
        case $2 in
        managed) printf 'iface %s inet6 dhcp\n\n' "$1" ;;
        other) printf 'iface %s inet6 auto\n\tdhcp 1\n\n' "$1" ;;
        auto) printf 'iface %s inet6 auto\n\tdhcp 0\n\n' "$1" ;;
        esac
    } >>"$ENI"
}

configure_ifcfg() {
    {
        printf '%s\n' "DEVICE=\"$1\"" 'BOOTPROTO="dhcp"' 'ONBOOT="yes"'
        if [ "$(fact "$1" type)" = 32 ]; then
            printf '%s\n' 'TYPE="InfiniBand"' 'CONNECTED_MODE="no"' 'DEFROUTE="yes"' 'PEERDNS="yes"' \
                'PEERROUTES="yes"' 'IPV4_FAILURE_FATAL="yes"' 'IPV6INIT="no"'
        elif is_vlan "$1"; then
            echo 'VLAN="yes"'
        else
            echo 'TYPE="Ethernet"'
        fi
        case $2 in
        managed) printf '%s\n' 'IPV6INIT="yes"' 'IPV6_FORCE_ACCEPT_RA="yes"' 'DHCPV6C="yes"' ;;
        other) printf '%s\n' 'IPV6INIT="yes"' 'IPV6_AUTOCONF="yes"' 'DHCPV6C="yes"' 'DHCPV6C_OPTIONS="-S"' ;;
        auto) printf '%s\n' 'IPV6INIT="yes"' 'IPV6_AUTOCONF="yes"' ;;
        esac
    } >"$IFCFG/ifcfg-$1"
}

configure_networkmanager() {
    mkdir -p "$KEYFILES"
    # NetworkManager reads nothing that others could have read.
    (
        umask 077
        printf '%s\n' '[connection]' "id=dib-dhcp-$1" 'type=802-3-ethernet' "interface-name=$1" '' \
            '[ipv4]' 'method=auto' '' '[ipv6]' 'method=auto' >"$KEYFILES/dib-dhcp-$1.nmconnection"
    )
}

configure_networkd() {
    mkdir -p "$NETWORKD"
    printf '%s\n' '[Match]' "Name=$1" '' '[Network]' 'DHCP=yes' >"$NETWORKD/70-dib-dhcp-$1.network"
}

# Writes the configuration of an interface; $2 is its ipv6_mode.
configure() {
    case $manager in
    eni) configure_eni "$@" ;;
    ifcfg)
        # InfiniBand is left without IPv6.
        if [ "$(fact "$1" type)" = 32 ]; then
            set -- "$1" none
        fi
        configure_ifcfg "$@"
        ;;
    wicked) printf '%s\n' 'BOOTPROTO="dhcp"' 'STARTMODE="auto"' >"$WICKED/ifcfg-$1" ;;
    networkmanager) configure_networkmanager "$1" ;;
    networkd) configure_networkd "$1" ;;
    esac
    case $manager/$2 in
    eni/none | ifcfg/none) ;;
    eni/* | ifcfg/*) write_duid "$1" ;;
    esac
}

# Configures an interface, unless there is a reason not to. Says in `ready` whether it is to be brought up.
inspect() {
    local mode=none
    ready=
    if is_configured "$1"; then
        echo "$1: is configured already"
        # The others do so by themselves; with ifupdown it may have appeared too late for that.
        if [ "$manager" = eni ]; then
            ready=yes
        fi
        return
    fi
    if [ "$(fact "$1" addr_assign_type)" != 0 ] && ! is_vlan "$1"; then
        echo "$1: left alone, its hardware address is not its own"
        return
    fi
    if ! has_link "$1"; then
        echo "$1: left alone, it has no link"
        return
    fi
    case $manager in
    eni | ifcfg) mode=$(ipv6_mode "$1") ;; # the others listen to routers by themselves
    esac
    configure "$1" "$mode"
    echo "$1: configured for DHCP by $manager"
    ready=yes
}

bring_up() {
    case $manager in
    networkmanager)
        nmcli connection reload
        nmcli device connect "$1"
        ;;
    networkd)
        networkctl reload
        networkctl up "$1"
        ;;
    *) ifup "$1" ;;
    esac
}

up=
if [ "${1:-}" = --up ]; then
    up=yes
    shift
fi
case "${1:-}" in
-*)
    echo "usage: dhcp-all-interfaces.sh [--up] [INTERFACE]" >&2
    exit 1
    ;;
esac
if [ -n "${1:-}" ] && [ ! -e "$NET/$1" ]; then
    echo "dhcp-all-interfaces: there is no interface '$1'" >&2
    exit 1
fi
manager=$(manager)
if [ "$manager" = eni ]; then
    # One at a time: interfaces that appear together write into one file.
    touch "$ENI"
    exec 9<"$ENI"
fi
for path in "$NET"/${1:-*}; do
    interface=${path##*/}
    if [ "$interface" = lo ] || [ ! -d "$path" ]; then
        continue
    fi
    if [ "$manager" = eni ]; then
        flock 9
    fi
    inspect "$interface"
    if [ "$manager" = eni ]; then
        flock --unlock 9
    fi
    if [ "$up$ready" = yesyes ]; then
        bring_up "$interface"
    fi
done
