/*
 * Feeds inband_parse_datagram() and inband_build_datagram() with what test/support/native/fuzz_packets.h makes. Arguments: number
 * of inputs, seed.
 */
#include "inband/packet.h"
#include "../../support/native/fuzz_packets.h"
#include "socket/headers.h"

enum { IP_HEADER = 20 };

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
    if (packet.family == AF_INET) put_ip_header(&packet, ip, IPPROTO_UDP, &segment);
    return packet;
}

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

int main(int argc, char **argv) {
    static const uint8_t edges[] = {0, 1, 5, 7, 8, 34, 35, 0x45, 0x4f, 0x50, 0x7f, 0x80, 0xff};
    static const struct subject subject = {
        seed, edges, sizeof edges, 40, correct, inband_parse_datagram, inband_build_datagram};

    return fuzz(&subject, argc, argv);
}
