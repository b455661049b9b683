/** Messages between the parts of migrun on one host, and from host to host. */
export * from './agent';
export * from './agent';
export * from './common';
export * from './local';
export * from './supervisor';
