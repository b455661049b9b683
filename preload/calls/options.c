/*
 * An option is noted before the call and taken back where that fails, because a freeze may stop a thread just where it
 * comes out of the kernel. A value is looked at after the call only: before it, the pointer may be one that the kernel
 * refuses.
 */
#include "options.h"

#include "registry/descriptors.h"
#include "registry/protected.h"
#include "registry/table.h"
#include "shim.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include <linux/in6.h> /* leaves out what <netinet/in.h> has already */

/* They are in <linux/in.h>, and libc's headers leave them out. */
#define IP_IPSEC_POLICY_NUMBER 16
#define IP_XFRM_POLICY_NUMBER 17

/* The arguments of one call of setsockopt. */
struct setting {
    int fd, level, name;
    const void *value;
    socklen_t length;
};

static int pass(const struct setting *setting) {
    return libc.setsockopt(setting->fd, setting->level, setting->name, setting->value, setting->length);
}

/* Puts the bit in. Returns the word with it; *was, unless NULL: it was in there. */
static uint64_t note(struct registry_record *record, uint64_t bit, bool *was) {
    uint64_t now = atomic_load(&record->hidden), noted;

    do noted = (now | bit) + REGISTRY_HIDDEN_CHANGE;
    while (!atomic_compare_exchange_weak(&record->hidden, &now, noted));
    if (was) *was = now & bit;
    atomic_store(&registry->hidden, 1);
    return noted;
}

/* Takes the bit out, unless somebody has noted anything since the word was `noted`. */
static void forget(struct registry_record *record, uint64_t bit, uint64_t noted) {
    atomic_compare_exchange_strong(&record->hidden, &noted, noted & ~bit);
}

/* True: the bit stays although the option goes, because connections that nobody has accepted yet have what the listening
 * socket had when they were made. */
static bool is_kept(const struct registry_record *record, uint64_t bit) {
    return bit & REGISTRY_INHERITED && atomic_load(&record->state) == REGISTRY_LISTENING;
}

/* True: this call, which succeeded, has left the socket without the option. */
static bool takes_away(const struct setting *setting, uint64_t bit) {
    static const struct in6_pktinfo no_info;
    struct ip_mreqn interface;
    int size;

    /* do_ipv6_setsockopt() takes NULL for 0, xfrm_user_policy() for no policy. */
    if (!setting->value) return true;
    switch (bit) {
    case HIDDEN(MULTICAST_INDEX):
        if (setting->length < sizeof interface) return true;
        memcpy(&interface, setting->value, sizeof interface);
        return interface.imr_ifindex == 0;
    case HIDDEN(FRAGMENT_SIZE): memcpy(&size, setting->value, sizeof size); return size == 0;
    case HIDDEN(PACKET_INFO): return memcmp(setting->value, &no_info, sizeof no_info) == 0;
    default: return false;
    }
}

static int set_noted(struct registry_record *record, const struct setting *setting, uint64_t bit) {
    bool was;
    uint64_t noted = note(record, bit, &was);
    int result = pass(setting);

    if (result < 0 ? !was : takes_away(setting, bit) && !is_kept(record, bit)) forget(record, bit, noted);
    return result;
}

/* Options that are counted. */

static void count(_Atomic uint32_t *number) {
    atomic_fetch_add(number, 1);
    atomic_store(&registry->hidden, 1);
}

static void uncount(_Atomic uint32_t *number) {
    uint32_t now = atomic_load(number);

    while (now && !atomic_compare_exchange_weak(number, &now, now - 1))
        ;
}

static int join_anycast(struct registry_record *record, const struct setting *setting) {
    int result;

    count(&record->anycast);
    result = pass(setting);
    if (result < 0) uncount(&record->anycast);
    return result;
}

static int leave_anycast(struct registry_record *record, const struct setting *setting) {
    int result = pass(setting);

    if (result == 0) uncount(&record->anycast);
    return result;
}

/* True: the call, which succeeded, has leased one label more. `before` is record->hidden as it was before it. */
static bool is_lease(struct registry_record *record, const struct setting *setting, uint64_t before) {
    struct in6_flowlabel_req request;

    memcpy(&request, setting->value, sizeof request);
    if (request.flr_flags & IPV6_FL_F_REFLECT) {
        if (request.flr_action == IPV6_FL_A_GET)
            note(record, HIDDEN(FLOW_LABEL), NULL);
        else if (!is_kept(record, HIDDEN(FLOW_LABEL)))
            forget(record, HIDDEN(FLOW_LABEL), before);
        return false;
    }
    if (request.flr_action == IPV6_FL_A_PUT) uncount(&record->flow_labels);
    return request.flr_action == IPV6_FL_A_GET;
}

static int manage_flow_labels(struct registry_record *record, const struct setting *setting) {
    uint64_t before = atomic_load(&record->hidden);
    int result;

    count(&record->flow_labels);
    result = pass(setting);
    if (result < 0 || !is_lease(record, setting, before)) uncount(&record->flow_labels);
    return result;
}

/* Programs of groups of SO_REUSEPORT. */

/* The port of the group that a socket with SO_REUSEPORT is in; 0: it can be in none. TCP's sockets come into one when they
 * listen, UDP's when they are bound (reuseport_add_sock() in net/core/sock_reuseport.c). */
static uint16_t port_of_group(int fd, const struct registry_record *record) {
    struct sockaddr_in6 local = {0};
    socklen_t length = sizeof local;
    int error = errno;

    if (record->type == SOCK_STREAM && atomic_load(&record->state) != REGISTRY_LISTENING) return 0;
    if (libc.getsockname(fd, (struct sockaddr *)&local, &length) < 0) errno = error;
    return ntohs(local.sin6_port); /* sin_port is at the same place */
}

static _Atomic uint64_t *programs_at(const struct registry_record *record, uint16_t port) {
    return &registry->group_programs[record->type == SOCK_STREAM ? REGISTRY_TCP : REGISTRY_UDP][port / 64];
}

static uint64_t bit_of(uint16_t port) { return UINT64_C(1) << port % 64; }

/* What was noted of the socket is noted of its group from now on, which lives longer. */
static void give_to_group(int fd, struct registry_record *record, uint64_t noted) {
    uint16_t port = port_of_group(fd, record);

    if (port == 0) return;
    atomic_fetch_or(programs_at(record, port), bit_of(port));
    forget(record, HIDDEN(GROUP_PROGRAM), noted);
}

void options_joined(int fd) {
    struct registry_record *record = table_record(fd);
    uint64_t noted = record ? atomic_load(&record->hidden) : 0;

    if (unlikely(noted & HIDDEN(GROUP_PROGRAM))) give_to_group(fd, record, noted);
}

static int attach_program(struct registry_record *record, const struct setting *setting) {
    bool was;
    uint64_t noted = note(record, HIDDEN(GROUP_PROGRAM), &was);
    int result = pass(setting);

    if (result == 0)
        give_to_group(setting->fd, record, noted);
    else if (!was)
        forget(record, HIDDEN(GROUP_PROGRAM), noted);
    return result;
}

/* ENOENT says that there is none to detach (reuseport_detach_prog() in net/core/sock_reuseport.c). */
static int detach_program(struct registry_record *record, const struct setting *setting) {
    uint64_t before = atomic_load(&record->hidden);
    int result = pass(setting);
    uint16_t port;

    if (result < 0 && errno != ENOENT) return result;
    forget(record, HIDDEN(GROUP_PROGRAM), before);
    port = port_of_group(setting->fd, record);
    if (port) atomic_fetch_and(programs_at(record, port), ~bit_of(port));
    return result;
}

/* Numbers of sends. */

/* Notifications of MSG_ZEROCOPY are told apart by a count of such sends (sk_zckey), which only sends change; no copy of the
 * socket can be given the count. */
void options_zerocopy(int fd) {
    struct registry_record *record = table_record(fd);

    if (!record || atomic_load(&record->hidden) & HIDDEN(ZEROCOPY_NUMBERS)) return;
    if (socket_option(fd, SO_ZEROCOPY, 0)) note(record, HIDDEN(ZEROCOPY_NUMBERS), NULL);
}

/* The calls themselves. */

typedef int (*handler)(struct registry_record *record, const struct setting *setting);

static handler handler_of(int level, int name) {
    switch (level) {
    case SOL_SOCKET:
        if (name == SO_ATTACH_REUSEPORT_CBPF || name == SO_ATTACH_REUSEPORT_EBPF) return attach_program;
        return name == SO_DETACH_REUSEPORT_BPF ? detach_program : NULL;
    case IPPROTO_IPV6:
        if (name == IPV6_JOIN_ANYCAST) return join_anycast;
        if (name == IPV6_LEAVE_ANYCAST) return leave_anycast;
        return name == IPV6_FLOWLABEL_MGR ? manage_flow_labels : NULL;
    default: return NULL;
    }
}

/* Only what a TCP socket joins counts: the groups of a datagram socket are carried (native/udp/interfaces.h). */
static bool is_join(int name) {
    return name == MCAST_JOIN_GROUP || name == MCAST_JOIN_SOURCE_GROUP || name == IP_ADD_SOURCE_MEMBERSHIP;
}

/* The bit of an option that one bit is enough for. 0: it has a handler, or the kernel shows it. */
static uint64_t hidden_by(int level, int name) {
    switch (level) {
    case IPPROTO_IP:
        if (name == IP_MULTICAST_IF) return HIDDEN(MULTICAST_INDEX);
        if (name == IP_XFRM_POLICY_NUMBER || name == IP_IPSEC_POLICY_NUMBER) return HIDDEN(POLICY);
        return is_join(name) ? HIDDEN(MULTICAST_STREAM) : 0;
    case IPPROTO_IPV6:
        if (name == IPV6_MTU) return HIDDEN(FRAGMENT_SIZE);
        if (name == IPV6_PKTINFO) return HIDDEN(PACKET_INFO);
        if (name == IPV6_XFRM_POLICY || name == IPV6_IPSEC_POLICY) return HIDDEN(POLICY);
        return is_join(name) ? HIDDEN(MULTICAST_STREAM) : 0;
    case IPPROTO_TCP: return name == TCP_MD5SIG || name == TCP_MD5SIG_EXT ? HIDDEN(KEYS) : 0;
    default: return 0;
    }
}

/* A call that waits on a socket with such a timeout fails where a freeze interrupts it. Calls that libc makes for itself are
 * begun again from outside (native/freeze/restart_calls.h). */
static bool is_timeout(int level, int name) {
    return level == SOL_SOCKET && (name == SO_RCVTIMEO || name == SO_SNDTIMEO);
}

int shim_setsockopt(int fd, int level, int name, const void *value, socklen_t length) {
    const struct setting setting = {fd, level, name, value, length};
    const uint64_t bit = hidden_by(level, name);
    const handler handle = handler_of(level, name);
    struct registry_record *record = unlikely(bit || handle) ? table_record(fd) : NULL;

    if (unlikely(registry && is_timeout(level, name))) atomic_store(&registry->timeouts, 1);
    if (!record || (bit == HIDDEN(MULTICAST_STREAM) && record->type != SOCK_STREAM)) return pass(&setting);
    return handle ? handle(record, &setting) : set_noted(record, &setting, bit);
}

/* To read a saved SYN takes it away (do_tcp_getsockopt() in net/ipv4/tcp.c). A freeze between the call and the note lets it
 * pass for unread: then the program stays. */
int shim_getsockopt(int fd, int level, int name, void *value, socklen_t *length) {
    int result = libc.getsockopt(fd, level, name, value, length);
    struct registry_record *record;

    record = unlikely(level == IPPROTO_TCP && name == TCP_SAVED_SYN) && result == 0 ? table_record(fd) : NULL;
    if (record) note(record, HIDDEN(SYN_READ), NULL);
    return result;
}

void options_inherit(const struct registry_record *listener, int fd) {
    struct registry_record *record = table_record(fd);
    uint64_t inherited = atomic_load(&listener->hidden) & REGISTRY_INHERITED;

    if (record && inherited) atomic_store(&record->hidden, inherited);
}
