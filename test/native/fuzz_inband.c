/* Feeds inband_parse() mutated segments: bounded and the same at every run. Arguments: number of inputs, seed.
 *
 * Each input lies in memory of exactly its length, so that the sanitizers see every byte too many that is read.
 * Of what is accepted, all must lie within the input and come out again from inband_build(). */
#include "inband_segment.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEEDS = 8, PACKET_MAX = 512 };

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

/* A whole packet: options of different lengths, with and without body, with and without IP options. */
static struct packet seed(int number) {
    static uint8_t content[INBAND_OPTION_MAX + 100];
    struct packet packet = {.family = number % 2 ? AF_INET6 : AF_INET};
    struct inband_segment segment = addressed(packet.family);
    size_t ip_length = packet.family == AF_INET ? 20 + (size_t)(number / 4) * 20 : 0;

    segment.option = content;
    segment.option_length = (size_t)number * INBAND_OPTION_MAX / (SEEDS - 1);
    segment.body = content;
    segment.body_length = (size_t)(number / 2) * 33;
    int length = inband_build(&segment, packet.bytes + ip_length, PACKET_MAX - ip_length);
    require(length > 0, "a seed can be built");
    packet.length = ip_length + (size_t)length;
    if (packet.family == AF_INET) {
        packet.bytes[0] = (uint8_t)(0x40 | ip_length / 4);
        packet.bytes[2] = (uint8_t)(packet.length >> 8);
        packet.bytes[3] = (uint8_t)packet.length;
        packet.bytes[9] = IPPROTO_TCP;
        memcpy(packet.bytes + 12, &segment.source.v4.sin_addr, 4);
        memcpy(packet.bytes + 16, &segment.destination.v4.sin_addr, 4);
    }
    return packet;
}

static void mutate(struct packet *packet) {
    static const uint8_t edges[] = {0, 1, 5, 6, 7, 40, 41, 0x45, 0x4f, 0x50, 0x70, 0xf0, 0x7f, 0x80, 0xfd, 0xff};

    for (uint32_t left = next(4); left > 0 && packet->length > 0; left--) {
        /* Headers first: there are the lengths. */
        uint32_t end = (uint32_t)packet->length, at = next(next(4) && end > 64 ? 64 : end);
        switch (next(5)) {
        case 0: packet->bytes[at] ^= (uint8_t)(1u << next(8)); break;
        case 1: packet->bytes[at] = edges[next(sizeof edges)]; break;
        case 2: packet->bytes[at] = (uint8_t)next(256); break;
        case 3: packet->length = next((uint32_t)packet->length + 1); break;
        case 4: memmove(packet->bytes, packet->bytes + at, packet->length -= at); break;
        }
    }
}

/* Most mutants fail at the checksum alone: half of them get a right one, where there is a TCP header. */
static void correct_checksum(struct packet *packet) {
    size_t tcp = packet->family == AF_INET && packet->length > 0 ? (size_t)(packet->bytes[0] & 0x0f) * 4 : 0;
    size_t end = packet->length;
    uint64_t sum = IPPROTO_TCP;
    struct inband_segment segment = addressed(packet->family);

    if (packet->family == AF_INET && packet->length >= 20) end = (size_t)(packet->bytes[2] << 8 | packet->bytes[3]);
    if (end > packet->length || tcp + 20 > end) return;
    packet->bytes[tcp + 16] = packet->bytes[tcp + 17] = 0;
    sum += end - tcp;
    for (size_t i = tcp; i < end; i++) sum += (i - tcp) % 2 ? packet->bytes[i] : (uint64_t)packet->bytes[i] << 8;
    int v4 = packet->family == AF_INET;
    const uint8_t *source = v4 ? packet->bytes + 12 : segment.source.v6.sin6_addr.s6_addr;
    const uint8_t *destination = v4 ? packet->bytes + 16 : segment.destination.v6.sin6_addr.s6_addr;
    for (size_t i = 0; i < (v4 ? 4 : 16); i++) sum += (uint64_t)(source[i] + destination[i]) << (i % 2 ? 0 : 8);
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    packet->bytes[tcp + 16] = (uint8_t)(~sum >> 8);
    packet->bytes[tcp + 17] = (uint8_t)~sum;
}

static int within(const uint8_t *part, size_t size, const uint8_t *whole, size_t length) {
    return part >= whole && size <= length && (size_t)(part - whole) <= length - size;
}

static void check_accepted(const struct inband_segment *segment, int family, const uint8_t *bytes, size_t length) {
    uint8_t built[PACKET_MAX];
    struct inband_segment again = addressed(family);

    require(segment->option_length <= INBAND_OPTION_MAX, "the option's length is at most what a header holds");
    require(within(segment->option, segment->option_length, bytes, length), "the option lies in the packet");
    require(within(segment->body, segment->body_length, bytes, length), "the body lies in the packet");

    int size = inband_build(segment, built, sizeof built);
    require(size > 0, "what was read can be built");
    if (family == AF_INET) return;
    require(inband_parse(family, built, (size_t)size, &again) == 0, "what was built can be read");
    require(again.seq == segment->seq && again.ack == segment->ack, "same numbers");
    require(socket_address_equal(&again.source, &segment->source), "same source");
    require(socket_address_equal(&again.destination, &segment->destination), "same destination");
    require(again.option_length == segment->option_length && again.body_length == segment->body_length, "same lengths");
    require(memcmp(again.option, segment->option, again.option_length) == 0, "same option");
    require(memcmp(again.body, segment->body, again.body_length) == 0, "same body");
}

int main(int argc, char **argv) {
    long inputs = argc > 1 ? atol(argv[1]) : 100000;
    long accepted = 0;

    state = argc > 2 ? strtoull(argv[2], NULL, 0) : 0x9e3779b97f4a7c15;
    for (long i = 0; i < inputs; i++) {
        struct packet packet = seed((int)next(SEEDS));
        struct inband_segment segment = addressed(packet.family);

        mutate(&packet);
        if (next(2)) correct_checksum(&packet);
        uint8_t *exact = malloc(packet.length ? packet.length : 1);
        require(exact != NULL, "memory");
        memcpy(exact, packet.bytes, packet.length);
        if (inband_parse(packet.family, exact, packet.length, &segment) == 0) {
            accepted++;
            check_accepted(&segment, packet.family, exact, packet.length);
        }
        free(exact);
    }
    for (int number = 0; number < SEEDS; number++) {
        struct packet packet = seed(number);
        struct inband_segment segment = addressed(packet.family);
        require(inband_parse(packet.family, packet.bytes, packet.length, &segment) == 0, "every seed is accepted");
    }
    printf("%ld inputs, %ld accepted\n", inputs, accepted);
    return 0;
}
