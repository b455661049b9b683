/* Feeds inband_parse() and inband_build() with what test/support/native/fuzz_packets.h makes. Arguments: number of inputs, seed. */
#include "../../support/native/fuzz_packets.h"

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
    if (packet.family == AF_INET) put_ip_header(&packet, ip_length, IPPROTO_TCP, &segment);
    return packet;
}

static void correct(struct packet *packet) {
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

int main(int argc, char **argv) {
    static const uint8_t edges[] = {0, 1, 5, 6, 7, 40, 41, 0x45, 0x4f, 0x50, 0x70, 0xf0, 0x7f, 0x80, 0xfd, 0xff};
    static const struct subject subject = {seed, edges, sizeof edges, 64, correct, inband_parse, inband_build};

    return fuzz(&subject, argc, argv);
}
