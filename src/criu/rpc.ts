/**
 * CRIU's RPC messages: the part of images/rpc.proto (CRIU 4.2) that migrun speaks. A field's number is its meaning on
 * the wire; names are CRIU's.
 */
import { Root, type Type } from 'protobufjs';

const root = Root.fromJSON({
  nested: {
    criu_req_type: { values: { EMPTY: 0, DUMP: 1, RESTORE: 2, CHECK: 3, NOTIFY: 6, FEATURE_CHECK: 9, VERSION: 10 } },
    criu_cg_mode: { values: { IGNORE: 0 } },
    criu_network_lock_method: { values: { SKIP: 3 } },
    inherit_fd: {
      fields: { key: { rule: 'required', type: 'string', id: 1 }, fd: { rule: 'required', type: 'int32', id: 2 } },
    },
    criu_opts: {
      fields: {
        images_dir_fd: { rule: 'required', type: 'int32', id: 1 },
        pid: { type: 'int32', id: 2 },
        leave_running: { type: 'bool', id: 3 },
        ext_unix_sk: { type: 'bool', id: 4 },
        file_locks: { type: 'bool', id: 8 },
        log_level: { type: 'int32', id: 9 },
        log_file: { type: 'string', id: 10 },
        notify_scripts: { type: 'bool', id: 12 },
        inherit_fd: { rule: 'repeated', type: 'inherit_fd', id: 27 },
        manage_cgroups: { type: 'bool', id: 24 },
        manage_cgroups_mode: { type: 'criu_cg_mode', id: 34 },
        ghost_limit: { type: 'uint32', id: 35 },
        external: { rule: 'repeated', type: 'string', id: 37 },
        freeze_cgroup: { type: 'string', id: 44 },
        tcp_close: { type: 'bool', id: 52 },
        network_lock: { type: 'criu_network_lock_method', id: 64 },
        images_dir: { type: 'string', id: 68 },
      },
    },
    criu_restore_resp: { fields: { pid: { rule: 'required', type: 'int32', id: 1 } } },
    criu_notify: { fields: { script: { type: 'string', id: 1 }, pid: { type: 'int32', id: 2 } } },
    criu_version: {
      fields: {
        major_number: { rule: 'required', type: 'int32', id: 1 },
        minor_number: { rule: 'required', type: 'int32', id: 2 },
        sublevel: { type: 'int32', id: 4 },
      },
    },
    criu_features: { fields: { mem_track: { type: 'bool', id: 1 } } },
    criu_req: {
      fields: {
        type: { rule: 'required', type: 'criu_req_type', id: 1 },
        opts: { type: 'criu_opts', id: 2 },
        notify_success: { type: 'bool', id: 3 },
        keep_open: { type: 'bool', id: 4 },
        features: { type: 'criu_features', id: 5 },
      },
    },
    criu_resp: {
      fields: {
        type: { rule: 'required', type: 'criu_req_type', id: 1 },
        success: { rule: 'required', type: 'bool', id: 2 },
        restore: { type: 'criu_restore_resp', id: 4 },
        notify: { type: 'criu_notify', id: 5 },
        cr_errno: { type: 'int32', id: 7 },
        cr_errmsg: { type: 'string', id: 9 },
        version: { type: 'criu_version', id: 10 },
      },
    },
  },
}, new Root());

// protobufjs would turn names to camelCase only when it parses .proto text; here they stay CRIU's own.
const requestType: Type = root.lookupType('criu_req');
const responseType: Type = root.lookupType('criu_resp');

export interface CriuOptions {
  pid?: number;
  leave_running?: boolean;
  ext_unix_sk?: boolean;
  file_locks?: boolean;
  ghost_limit?: number;
  log_level?: number;
  log_file?: string;
  notify_scripts?: boolean;
  inherit_fd?: { key: string; fd: number }[];
  manage_cgroups?: boolean;
  manage_cgroups_mode?: 'IGNORE';
  external?: string[];
  freeze_cgroup?: string;
  tcp_close?: boolean;
  network_lock?: 'SKIP';
  images_dir?: string;
}

export interface CriuResponse {
  type: string;
  success: boolean;
  restore?: { pid: number };
  notify?: { script?: string; pid?: number };
  cr_errno?: number;
  cr_errmsg?: string;
  version?: { major_number: number; minor_number: number; sublevel?: number };
}

/** A request on which CRIU probes the kernel, keeps what it found, and waits for the request proper. */
export function encodeFeatureCheck(): Buffer {
  return encoded(requestType, { type: 'FEATURE_CHECK', keep_open: true, features: { mem_track: false } });
}

export function encodeRequest(type: 'DUMP' | 'RESTORE' | 'VERSION', options?: CriuOptions): Buffer {
  const opts = options === undefined ? undefined : { images_dir_fd: -1, ...options };
  return encoded(requestType, { type, opts });
}

/** Answers a notification: CRIU may go on. */
export function encodeNotifyAnswer(): Buffer {
  return encoded(requestType, { type: 'NOTIFY', notify_success: true });
}

/**
 * Encodes and decodes one message of each kind: protobufjs compiles a type's code when it first meets it, which takes
 * some milliseconds, and a program that stands still must not wait for it.
 */
export function rehearseMessages(): void {
  encodeRequest('DUMP', { pid: 1, inherit_fd: [{ key: '', fd: 0 }] });
  const response = { type: 'NOTIFY', success: true, notify: { script: '', pid: 1 }, restore: { pid: 1 } };
  decodeResponse(encoded(responseType, response));
}

/** Throws where the bytes are not a criu_resp. */
export function decodeResponse(message: Buffer): CriuResponse {
  return responseType.toObject(responseType.decode(message), { enums: String }) as CriuResponse;
}

function encoded(type: Type, message: Record<string, unknown>): Buffer {
  return Buffer.from(type.encode(type.fromObject(message)).finish());
}
