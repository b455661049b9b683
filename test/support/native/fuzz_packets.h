/*
 * Feeding a parser of packets with mutated ones: bounded, and the same at every run.
 *
 * Each input lies in memory of exactly its length, so that the sanitizers see every byte too many that is read. Of what
 * is accepted, all must lie within the input and come out again from its builder.
 */
#pragma once

#include "inband/packet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEEDS = 8, PACKET_MAX = 512 };

struct packet {
    int family;
    size_t length;
    uint8_t bytes[PACKET_MAX];
};

struct subject {
    /* Makes a whole packet, another one for each number from 0 to SEEDS - 1. All are accepted. */
    struct packet (*seed)(int number);
    /* Values that mean something in a packet's headers. */
    const uint8_t *edges;
    size_t edge_count;
    /* Most changes are made before this offset: that is where the lengths are. */
    uint32_t header_end;
    /*
     * Puts lengths and checksum right, where there is a header: half of the mutants get that, as most fail at these
     * alone.
     */
    void (*correct)(struct packet *packet);
    int (*parse)(int family, const uint8_t *packet, size_t length, struct inband_segment *segment);
    int (*build)(const struct inband_segment *segment, uint8_t *out, size_t capacity);
};

static uint64_t fuzz_state;

static uint32_t next(uint32_t below) {
    fuzz_state ^= fuzz_state << 13;
    fuzz_state ^= fuzz_state >> 7;
    fuzz_state ^= fuzz_state << 17;
    return (uint32_t)(fuzz_state >> 32) % below;
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

/* Writes what an IPv4 packet has before its TCP or UDP header. */
static void put_ip_header(struct packet *packet, size_t length, uint8_t protocol,
                          const struct inband_segment *segment) {
    packet->bytes[0] = (uint8_t)(0x40 | length / 4);
    packet->bytes[2] = (uint8_t)(packet->length >> 8);
    packet->bytes[3] = (uint8_t)packet->length;
    packet->bytes[9] = protocol;
    memcpy(packet->bytes + 12, &segment->source.v4.sin_addr, 4);
    memcpy(packet->bytes + 16, &segment->destination.v4.sin_addr, 4);
}

static void mutate(const struct subject *subject, struct packet *packet) {
    for (uint32_t left = next(4); left > 0 && packet->length > 0; left--) {
        uint32_t end = (uint32_t)packet->length, headers = subject->header_end;
        uint32_t at = next(next(4) && end > headers ? headers : end);

        switch (next(5)) {
        case 0: packet->bytes[at] ^= (uint8_t)(1u << next(8)); break;
        case 1: packet->bytes[at] = subject->edges[next((uint32_t)subject->edge_count)]; break;
        case 2: packet->bytes[at] = (uint8_t)next(256); break;
        case 3: packet->length = next(end + 1); break;
        case 4: memmove(packet->bytes, packet->bytes + at, packet->length -= at); break;
        }
    }
}

static int within(const uint8_t *part, size_t size, const uint8_t *whole, size_t length) {
    return part >= whole && size <= length && (size_t)(part - whole) <= length - size;
}

static void check_accepted(const struct subject *subject, const struct inband_segment *segment, int family,
                           const uint8_t *bytes, size_t length) {
    struct inband_segment again = addressed(family);
    uint8_t built[PACKET_MAX];

    require(segment->option_length <= INBAND_OPTION_MAX, "the option part is not too long");
    require(within(segment->option, segment->option_length, bytes, length), "the option part lies in the packet");
    require(within(segment->body, segment->body_length, bytes, length), "the body lies in the packet");

    int size = subject->build(segment, built, sizeof built);
    require(size > 0, "what was read can be built");
    if (family == AF_INET) return;
    require(subject->parse(family, built, (size_t)size, &again) == 0, "what was built can be read");
    require(again.seq == segment->seq && again.ack == segment->ack, "same numbers");
    require(socket_address_equal(&again.source, &segment->source), "same source");
    require(socket_address_equal(&again.destination, &segment->destination), "same destination");
    require(again.option_length == segment->option_length && again.body_length == segment->body_length, "same lengths");
    require(memcmp(again.option, segment->option, again.option_length) == 0, "same option part");
    require(memcmp(again.body, segment->body, again.body_length) == 0, "same body");
}

/* Returns 1 where it was accepted. */
static int feed(const struct subject *subject, const struct packet *packet) {
    struct inband_segment segment = addressed(packet->family);
    uint8_t *exact = malloc(packet->length ? packet->length : 1);

    require(exact != NULL, "memory");
    memcpy(exact, packet->bytes, packet->length);
    int accepted = subject->parse(packet->family, exact, packet->length, &segment) == 0;
    if (accepted) check_accepted(subject, &segment, packet->family, exact, packet->length);
    free(exact);
    return accepted;
}

/* What main() returns. Arguments: number of inputs, seed. */
static int fuzz(const struct subject *subject, int argc, char **argv) {
    long inputs = argc > 1 ? atol(argv[1]) : 100000, accepted = 0;

    fuzz_state = argc > 2 ? strtoull(argv[2], NULL, 0) : 0x9e3779b97f4a7c15;
    for (long i = 0; i < inputs; i++) {
        struct packet packet = subject->seed((int)next(SEEDS));

        mutate(subject, &packet);
        if (next(2)) subject->correct(&packet);
        accepted += feed(subject, &packet);
    }
    for (int number = 0; number < SEEDS; number++) {
        struct packet packet = subject->seed(number);

        require(feed(subject, &packet), "every seed is accepted");
    }
    printf("%ld inputs, %ld accepted\n", inputs, accepted);
    return 0;
}
