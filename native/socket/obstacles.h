/*
 * What an inet socket has that nobody can carry to another host: the kernel lets no one read it, or it belongs to this
 * host. Looking for it changes nothing: the program may be running.
 *
 * Some of it cannot be seen from outside: what the shim notes instead (preload/calls/options.c), and membership in a
 * BPF sockmap, which nobody does.
 */
#pragma once

#include <stdint.h>

enum socket_obstacle {
    OBSTACLE_EBPF_FILTER,    /* SO_ATTACH_BPF: only classic filters can be read */
    OBSTACLE_LOCKED_FILTER,  /* SO_LOCK_FILTER: no lock can be attached */
    OBSTACLE_UPPER_LAYER,    /* TCP_ULP: TLS in the kernel, and its like */
    OBSTACLE_AUTHENTICATION, /* TCP-AO */
    OBSTACLE_URGENT_DATA,    /* received and not read: its mark cannot be set again */
    OBSTACLE_ZEROCOPY,       /* MSG_ZEROCOPY: notifications are still to come */
    OBSTACLE_ERROR_QUEUE,    /* errors, or timestamps, that the program has not read */
    OBSTACLE_INTERFACE, /* IP_UNICAST_IF, IPV6_UNICAST_IF: an interface by its number here; UDP has udp/interfaces.h */
    OBSTACLE_EXTENSION_HEADERS, /* IPV6_RTHDR, IPV6_HOPOPTS, IPV6_DSTOPTS */
    OBSTACLE_FAST_OPEN,         /* connecting with data in hand, or not before there is some */
    OBSTACLE_ENDED,         /* a closed connection with bytes to read: the queue of a closed socket cannot be filled */
    OBSTACLE_CORKED,        /* UDP_CORK: CRIU refuses it */
    OBSTACLE_ENCAPSULATION, /* UDP_ENCAP: a protocol of the kernel's own uses it */
    OBSTACLE_TIMESTAMP_NUMBERS, /* SOF_TIMESTAMPING_OPT_ID: the count (sk_tskey) cannot be read or set */
    OBSTACLE_FLOW_LABEL,        /* connected with one, or with a traffic class (sin6_flowinfo) */
    OBSTACLE_SAVED_SYN, /* TCP_SAVE_SYN of a connection: its SYN may be there to be read, which only reading shows */
    OBSTACLES,
};

/** Returns a bit for each that the socket has. `state`: TCP_ESTABLISHED ..., 0 where not TCP. */
uint32_t socket_obstacles(int fd, int state);
