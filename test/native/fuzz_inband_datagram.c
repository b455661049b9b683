/* Feeds inband_parse_datagram() mutated datagrams: bounded and the same at every run. Arguments: number of inputs, seed.
 *
 * Each input lies in memory of exactly its length, so that the sanitizers see every byte too many that is read. Of what is
 * accepted, all must lie within the input and come out again from inband_build_datagram(). */
#include "inband_datagram.h"
#include "udp_header.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEEDS = 8, PACKET_MAX = 512, IP_HEADER = 20 };

struct packet {
    int family;
    size_t length;
    uint8_t bytes[PACKET_MAX];
};

static uint64_t state;

static uint32_t next(uint32_t below) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 32) % below;
}

static void require(int holds, const char *what) {
    if (holds) return;
    fprintf(stderr, "does not hold: %s\n", what);
    abort();
}

static union socket_address address(int family, const char *text, uint16_t port) {
    union socket_address address;

    require(socket_address_parse(&address, family, text, port) == 0, "address is read");
    return address;
}

static struct inband_segment addressed(int family) {
    return (struct inband_segment){
        .source = address(family, family == AF_INET ? "10.78.0.1" : "fd78::1", 4884),
        .destination = address(family, family == AF_INET ? "10.78.0.2" : "fd78::2", 40000),
    };
}

/* A whole packet, with and without option part and body. */
static struct packet seed(int number) {
    static uint8_t content[INBAND_OPTION_MAX + 200];
    struct packet packet = {.family = number % 2 ? AF_INET6 : AF_INET};
    struct inband_segment segment = addressed(packet.family);
    size_t ip = packet.family == AF_INET ? IP_HEADER : 0;

    segment.option = segment.body = content;
    segment.option_length = (size_t)number * INBAND_OPTION_MAX / (SEEDS - 1);
    segment.body_length = (size_t)(number / 2) * 33;
    int length = inband_build_datagram(&segment, packet.bytes + ip, PACKET_MAX - ip);
    require(length > 0, "a seed can be built");
    packet.length = ip + (size_t)length;
    if (packet.family != AF_INET) return packet;
    packet.bytes[0] = 0x45;
    packet.bytes[2] = (uint8_t)(packet.length >> 8);
    packet.bytes[3] = (uint8_t)packet.length;
    packet.bytes[9] = IPPROTO_UDP;
    memcpy(packet.bytes + 12, &segment.source.v4.sin_addr, 4);
    memcpy(packet.bytes + 16, &segment.destination.v4.sin_addr, 4);
    return packet;
}

static void mutate(struct packet *packet) {
    static const uint8_t edges[] = {0, 1, 5, 7, 8, 34, 35, 0x45, 0x4f, 0x50, 0x7f, 0x80, 0xff};

    for (uint32_t left = next(4); left > 0 && packet->length > 0; left--) {
        uint32_t end = (uint32_t)packet->length, at = next(next(4) && end > 40 ? 40 : end);

        switch (next(4)) {
        case 0: packet->bytes[at] ^= (uint8_t)(1u << next(8)); break;
        case 1: packet->bytes[at] = edges[next(sizeof edges)]; break;
        case 2: packet->bytes[at] = (uint8_t)next(256); break;
        case 3: packet->length = next(end + 1); break;
        }
    }
}

/* Most mutants fail at the length or the checksum alone: half of them get right ones, where there is a UDP header. */
static void correct(struct packet *packet) {
    size_t ip = packet->family == AF_INET ? IP_HEADER : 0;
    struct inband_segment segment = addressed(packet->family);
    struct udphdr udp;

    if (packet->length < ip + sizeof udp) return;
    if (ip) {
        packet->bytes[2] = (uint8_t)(packet->length >> 8);
        packet->bytes[3] = (uint8_t)packet->length;
        memcpy(&segment.source.v4.sin_addr, packet->bytes + 12, 4);
        memcpy(&segment.destination.v4.sin_addr, packet->bytes + 16, 4);
    }
    memcpy(&udp, packet->bytes + ip, sizeof udp);
    udp.len = htons((uint16_t)(packet->length - ip + 1));
    udp.check = 0;
    udp.check = htons(udp_checksum(&segment.source, &segment.destination, &udp, packet->bytes + ip + sizeof udp,
                                   packet->length - ip - sizeof udp));
    memcpy(packet->bytes + ip, &udp, sizeof udp);
}

static int within(const uint8_t *part, size_t size, const uint8_t *whole, size_t length) {
    return part >= whole && size <= length && (size_t)(part - whole) <= length - size;
}

static void check_accepted(const struct inband_segment *segment, int family, const uint8_t *bytes, size_t length) {
    struct inband_segment again = addressed(family);
    uint8_t built[PACKET_MAX];

    require(segment->option_length <= INBAND_OPTION_MAX, "the option part is not too long");
    require(within(segment->option, segment->option_length, bytes, length), "the option part lies in the packet");
    require(within(segment->body, segment->body_length, bytes, length), "the body lies in the packet");

    int size = inband_build_datagram(segment, built, sizeof built);
    require(size > 0, "what was read can be built");
    if (family == AF_INET) return;
    require(inband_parse_datagram(family, built, (size_t)size, &again) == 0, "what was built can be read");
    require(socket_address_equal(&again.source, &segment->source), "same source");
    require(socket_address_equal(&again.destination, &segment->destination), "same destination");
    require(again.option_length == segment->option_length && again.body_length == segment->body_length, "same lengths");
    require(memcmp(again.option, segment->option, again.option_length) == 0, "same option part");
    require(memcmp(again.body, segment->body, again.body_length) == 0, "same body");
}

int main(int argc, char **argv) {
    long inputs = argc > 1 ? atol(argv[1]) : 100000, accepted = 0;

    state = argc > 2 ? strtoull(argv[2], NULL, 0) : 0x9e3779b97f4a7c15;
    for (long i = 0; i < inputs; i++) {
        struct packet packet = seed((int)next(SEEDS));
        struct inband_segment segment = addressed(packet.family);

        mutate(&packet);
        if (next(2)) correct(&packet);
        uint8_t *exact = malloc(packet.length ? packet.length : 1);
        require(exact != NULL, "memory");
        memcpy(exact, packet.bytes, packet.length);
        if (inband_parse_datagram(packet.family, exact, packet.length, &segment) == 0) {
            accepted++;
            check_accepted(&segment, packet.family, exact, packet.length);
        }
        free(exact);
    }
    for (int number = 0; number < SEEDS; number++) {
        struct packet packet = seed(number);
        struct inband_segment segment = addressed(packet.family);

        require(inband_parse_datagram(packet.family, packet.bytes, packet.length, &segment) == 0, "every seed is accepted");
    }
    printf("%ld inputs, %ld accepted\n", inputs, accepted);
    return 0;
}
