/* An eBPF socket filter of eight instructions locks a socket until a deadline and accepts from then on.
 *
 * Source: bpf_ktime_get_ns is open to socket filters (bpf_base_func_proto() in kernel/bpf/helpers.c);
 * sk_attach_bpf() and sk_filter_trim_cap() in net/core/filter.c.
 * Relied on by: the lease of every lock. Whatever dies, no lock outlives its deadline. */
#include "harness/hosts.h"
#include "harness/result.h"
#include "harness/tap.h"
#include "harness/tcp.h"

#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

static int lease_program(uint64_t deadline_ns)
{
	struct bpf_insn lease[] = {
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_ktime_get_ns },
		{ .code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = BPF_REG_1, .imm = (int32_t)deadline_ns },
		{ .imm = (int32_t)(deadline_ns >> 32) },	/* second half of the same 64-bit load */
		{ .code = BPF_JMP | BPF_JGE | BPF_X, .dst_reg = BPF_REG_0, .src_reg = BPF_REG_1, .off = 2 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0 },
		{ .code = BPF_JMP | BPF_EXIT },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = -1 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr attributes = {
		.prog_type = BPF_PROG_TYPE_SOCKET_FILTER, .insns = (uintptr_t)lease,
		.insn_cnt = sizeof(lease) / sizeof(*lease), .license = (uintptr_t)"GPL",
	};
	int program = syscall(SYS_bpf, BPF_PROG_LOAD, &attributes, sizeof(attributes));

	if (program < 0 && (errno == ENOSYS || errno == EPERM))
		missing("bpf(): %s", strerror(errno));
	return need(program);
}

static void body(int family)
{
	const uint64_t lease_ns = 700000000;
	struct connection connection;
	struct segment segment;
	uint64_t deadline;
	int tap, program;

	hosts_up();
	connection = connect_hosts(family);
	enter(B);
	tap = tap_open();
	deadline = now_ns() + lease_ns;
	program = lease_program(deadline);
	set_option(connection.b, SOL_SOCKET, SO_ATTACH_BPF, program);
	close(program);		/* the socket holds it */
	send_pattern(connection.a, 0, 5000);
	expect(tap_next(tap, false, 1000, &segment), "the segment did not reach the locked socket's host");
	expect(!tap_next(tap, true, 100, &segment), "a segment was answered before the deadline");
	expect(unread(connection.b) == 0, "a segment was received before the deadline");
	expect(receive_pattern(connection.b, 0, 5000) == 5000, "the lock outlived its deadline");
	expect(now_ns() >= deadline, "the bytes came before the deadline");
	holds("locked up to the deadline; then all 5000 bytes came, with nobody's doing");
}

int main(void)
{
	return check_families(body);
}
