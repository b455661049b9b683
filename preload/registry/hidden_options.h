/* What a program sets on a socket, or uses, and the kernel shows to nobody. The shim notes it, and it keeps the program from
 * moving. For C and C++. */
#pragma once

enum hidden_option {
    HIDDEN_GROUP_PROGRAM,    /* SO_ATTACH_REUSEPORT_CBPF, _EBPF */
    HIDDEN_MULTICAST_INDEX,  /* IP_MULTICAST_IF with an index */
    HIDDEN_MULTICAST_STREAM, /* a multicast group that a TCP socket has joined */
    HIDDEN_FRAGMENT_SIZE,    /* IPV6_MTU */
    HIDDEN_PACKET_INFO,      /* IPV6_PKTINFO */
    HIDDEN_FLOW_LABEL,       /* IPV6_FLOWLABEL_MGR: a label leased, or IPV6_FL_F_REFLECT */
    HIDDEN_ANYCAST,          /* IPV6_JOIN_ANYCAST */
    HIDDEN_POLICY,           /* IP_XFRM_POLICY, IPV6_XFRM_POLICY and their older names */
    HIDDEN_KEYS,             /* TCP_MD5SIG, TCP_MD5SIG_EXT; stays where they are taken away again */
    HIDDEN_ZEROCOPY_NUMBERS, /* MSG_ZEROCOPY with SO_ZEROCOPY: the kernel numbers such sends */
    HIDDEN_SYN_READ,         /* TCP_SAVED_SYN: there is nothing more to read */
    HIDDEN_OPTIONS,
};
